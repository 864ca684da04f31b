-- The device of each ID in the delivery: a platform ID is its own; else as linked now, or as it was when it was told last.
-- Reads `pair`, `device`, `published_then`; $is_platform: whether the IDs are platform IDs.
SELECT
    pair.id,
    CASE WHEN $is_platform THEN 0 ELSE coalesce(any_value(device.device_dpid), any_value(published_then.device_dpid)) END
        AS device_dpid,
    CASE WHEN $is_platform THEN pair.id ELSE coalesce(any_value(device.device_id), any_value(published_then.device_id)) END
        AS device_id
FROM pair
LEFT JOIN device ON device.id = pair.id
LEFT JOIN published_then ON published_then.id = pair.id
GROUP BY pair.id;
