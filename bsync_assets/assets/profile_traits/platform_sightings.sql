-- When platform IDs were seen alive (TRT-085): by a visit, an import, or a link. Several rows per ID.
-- Reads `activity_now`, `current_link`.
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
WHERE dpid = 0;
