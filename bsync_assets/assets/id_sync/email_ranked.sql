-- Hashed e-mails of every customer ID that a c2c row of today names, newest first; the oldest over the limit go (IDS-71).
-- Reads `pair`, `email_before`; $limit: hashes that an ID keeps.
WITH
sighting AS (
    SELECT
        master_dpid AS dpid,
        master_id AS id,
        dpid AS email_dpid,
        id AS hash,
        seen_at,
        row_no,
        row_number() OVER (ORDER BY seen_at, row_no, col) AS seq
    FROM pair
    WHERE format = 'c2c_id' AND NOT is_opted_out
),

today AS (
    SELECT
        dpid,
        id,
        email_dpid,
        hash,
        max(seen_at) AS last_seen,
        max(seq) AS seq,
        arg_min(row_no, seq) AS first_row,
        arg_max(row_no, seq) AS last_row
    FROM sighting
    GROUP BY dpid, id, email_dpid, hash
),

merged AS (
    SELECT
        coalesce(today.dpid, before.dpid) AS dpid,
        coalesce(today.id, before.id) AS id,
        coalesce(today.email_dpid, before.email_dpid) AS email_dpid,
        coalesce(today.hash, before.hash) AS hash,
        coalesce(today.last_seen, before.last_seen) AS last_seen,
        coalesce(today.seq, before.seq) AS seq,
        before.hash IS NOT NULL AS was_known,
        today.first_row,
        today.last_row
    FROM today
    FULL JOIN email_before AS before
        ON before.dpid = today.dpid
        AND before.id = today.id
        AND before.email_dpid = today.email_dpid
        AND before.hash = today.hash
    WHERE today.id IS NOT NULL OR (before.dpid, before.id) IN (SELECT (dpid, id) FROM today)
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY dpid, id, email_dpid ORDER BY last_seen DESC, seq DESC) AS nth
    FROM merged
)

SELECT
    ranked.*,
    ranked.nth > $limit AS is_evicted,
    pushed.last_row AS cause_row
FROM ranked
LEFT JOIN ranked AS pushed
    ON pushed.dpid = ranked.dpid
    AND pushed.id = ranked.id
    AND pushed.email_dpid = ranked.email_dpid
    AND pushed.nth = ranked.nth - $limit;
