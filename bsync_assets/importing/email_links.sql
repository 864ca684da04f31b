-- Hashed e-mails as of the import; the newest ones of each ID stay (IDS-71). Grain: one row per ID and hash.
-- Reads `before`, `said_email`.
WITH
sightings AS (
    SELECT * FROM before
    UNION ALL BY NAME
    SELECT
        dpid,
        id,
        email_dpid,
        hash,
        seen_at AS last_seen,
        line_no AS seq
    FROM said_email
)

SELECT
    dpid,
    id,
    email_dpid,
    hash,
    max(last_seen) AS last_seen,
    arg_max(seq, (last_seen, seq)) AS seq
FROM sightings
GROUP BY dpid, id, email_dpid, hash
QUALIFY row_number() OVER (PARTITION BY dpid, id ORDER BY max(last_seen) DESC, arg_max(seq, (last_seen, seq)) DESC) <= 10;
