-- Platform IDs seen alive within 120 days (TRT-085, INB-95): by a visit, an import, or a link that was seen. Grain: one row per ID.
WITH
sightings AS (
    SELECT
        id,
        last_at
    FROM activity_now
    WHERE dpid = 0
    UNION ALL
    SELECT
        device_id AS id,
        last_seen AS last_at
    FROM current_link
    WHERE device_dpid = 0
    UNION ALL
    SELECT
        id,
        last_seen AS last_at
    FROM current_link
    WHERE dpid = 0
)

SELECT
    0 AS dpid,
    id
FROM sightings
GROUP BY id
HAVING max(last_at) >= $alive_since;
