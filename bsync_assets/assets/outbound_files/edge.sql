-- IDs of the namespace $namespace (made temp table `address_link` from the links of the day): which device or declared ID each
-- stands for. Devices may be linked either way round, so for a device namespace both directions count (OUT-011): $both_ways.
SELECT device_dpid AS dpid, device_id AS of_id, id, last_seen, seq
FROM address_link
WHERE dpid = $namespace
UNION ALL
SELECT dpid, id AS of_id, device_id AS id, last_seen, seq
FROM address_link
WHERE device_dpid = $namespace AND $both_ways;
