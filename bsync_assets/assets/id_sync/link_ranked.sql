-- Links of every ID and device that was touched today, newest first, with those over a limit marked (IDS-135 to IDS-137).
-- Cross-device IDs: $devices_per_id devices per ID, $ids_per_device IDs per device; all others: $cookies per cookie, both ways.
-- `cause_row` is today's row whose link pushed an evicted one out.
-- Reads `link_seen`, `link_before`, `cross_device`.
WITH
touched AS (
    SELECT DISTINCT
        dpid,
        id,
        device_dpid,
        device_id
    FROM link_seen
),

merged AS (
    SELECT
        coalesce(today.dpid, before.dpid) AS dpid,
        coalesce(today.id, before.id) AS id,
        coalesce(today.device_dpid, before.device_dpid) AS device_dpid,
        coalesce(today.device_id, before.device_id) AS device_id,
        coalesce(before.first_seen, today.first_seen) AS first_seen,
        greatest(today.last_seen, before.last_seen) AS last_seen,
        coalesce(today.seq, before.seq) AS seq,
        CASE WHEN today.seq IS NULL THEN before.origin WHEN today.last_row < 0 THEN 'http' ELSE 'file' END AS origin,
        before.id IS NOT NULL AS was_known,
        today.last_row
    FROM link_seen AS today
    FULL JOIN link_before AS before
        ON before.dpid = today.dpid
        AND before.id = today.id
        AND before.device_dpid = today.device_dpid
        AND before.device_id = today.device_id
    WHERE today.id IS NOT NULL
        OR (before.dpid, before.id) IN (SELECT (dpid, id) FROM touched)
        OR (before.device_dpid, before.device_id, before.dpid) IN (SELECT (device_dpid, device_id, dpid) FROM touched)
),

limited AS (
    SELECT
        *,
        CASE WHEN dpid IN (FROM cross_device) THEN $devices_per_id ELSE $cookies END AS most_devices,
        CASE WHEN dpid IN (FROM cross_device) THEN $ids_per_device ELSE $cookies END AS most_ids
    FROM merged
),

ranked AS (
    SELECT
        *,
        row_number() OVER of_id AS nth_device,
        row_number() OVER of_device AS nth_id
    FROM limited
    WINDOW
        of_id AS (PARTITION BY dpid, id ORDER BY last_seen DESC, seq DESC, device_dpid, device_id),
        of_device AS (PARTITION BY device_dpid, device_id, dpid ORDER BY last_seen DESC, seq DESC, id)
)

SELECT
    ranked.*,
    ranked.nth_device > ranked.most_devices OR ranked.nth_id > ranked.most_ids AS is_evicted,
    coalesce(pushed_device.last_row, pushed_id.last_row) AS cause_row
FROM ranked
LEFT JOIN ranked AS pushed_device
    ON pushed_device.dpid = ranked.dpid
    AND pushed_device.id = ranked.id
    AND pushed_device.nth_device = ranked.nth_device - ranked.most_devices
LEFT JOIN ranked AS pushed_id
    ON pushed_id.device_dpid = ranked.device_dpid
    AND pushed_id.device_id = ranked.device_id
    AND pushed_id.dpid = ranked.dpid
    AND pushed_id.nth_id = ranked.nth_id - ranked.most_ids;
