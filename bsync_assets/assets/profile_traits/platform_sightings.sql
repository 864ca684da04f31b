-- When platform IDs were seen alive (TRT-085): by a visit, an import, or a link, whether a limit left it there or not.
-- Several rows per ID. Reads `activity_now`, `current_link`; $day.
WITH
link AS (
    SELECT
        dpid,
        id,
        device_dpid,
        device_id,
        last_seen
    FROM current_link
    UNION ALL
    SELECT
        dpid,
        id,
        device_dpid,
        device_id,
        last_seen
    FROM lake.main.evicted_links
    WHERE day <= $day
)

SELECT
    id,
    last_at
FROM activity_now
WHERE dpid = 0
UNION ALL
SELECT
    device_id AS id,
    last_seen AS last_at
FROM link
WHERE device_dpid = 0
UNION ALL
SELECT
    id,
    last_seen AS last_at
FROM link
WHERE dpid = 0;
