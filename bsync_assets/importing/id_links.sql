-- Links as of the import: seen first and last, over all that was brought. Grain: one row per pair. Reads `before`, `said_link`.
WITH
sightings AS (
    SELECT * FROM before
    UNION ALL BY NAME
    SELECT
        dpid,
        id,
        device_dpid,
        device_id,
        seen_at AS first_seen,
        seen_at AS last_seen,
        line_no AS seq
    FROM said_link
)

SELECT
    dpid,
    id,
    device_dpid,
    device_id,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen,
    arg_max(seq, (last_seen, seq)) AS seq,
    'import' AS origin
FROM sightings
GROUP BY dpid, id, device_dpid, device_id;
