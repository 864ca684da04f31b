-- How the publication state of the destination changes once the delivery is complete. Rows that were not written change nothing.
-- Reads `pair`, `known_value`, `device`, `broken`; $destination, $namespace.
SELECT
    $destination AS destination,
    pair.id,
    known_value.value,
    known_value.segment_id,
    device.device_dpid,
    device.device_id,
    CASE WHEN is_removed THEN 'removed' ELSE 'added' END AS change,
    CASE WHEN is_removed THEN 'unpublished' END AS reason
FROM pair
JOIN known_value USING (pos)
ANTI JOIN broken ON broken.id = pair.id
LEFT JOIN device ON device.id = pair.id AND $namespace <> 0  -- a platform ID is a device itself
WHERE is_removed OR is_current AND NOT is_published;
