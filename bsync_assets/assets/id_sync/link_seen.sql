-- Today's sightings -> one row per link: its newest sighting and the row that showed it first. Reads `sighting`.
WITH
numbered AS (
    SELECT
        *,
        row_number() OVER (ORDER BY seen_at, level, row_no, col, via, device_dpid, device_id) AS seq
    FROM sighting
)

SELECT
    dpid,
    id,
    device_dpid,
    device_id,
    min(seen_at) AS first_seen,
    max(seen_at) AS last_seen,
    max(seq) AS seq,
    arg_min(row_no, seq) AS first_row,
    arg_max(row_no, seq) AS last_row
FROM numbered
GROUP BY dpid, id, device_dpid, device_id;
