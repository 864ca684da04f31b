-- Which ID stands for which member in the namespace of the destination (OUT-011). $only_newest: one ID per member, of the newest
-- link, ties by greater ID (SEG-007). $devices_only: an ID of a person is none of a device's (namespace 0).
-- Reads `edge`; $namespace, $device_dpids: namespaces of devices.
SELECT dpid, of_id, id
FROM edge
WHERE (NOT $devices_only OR list_contains($device_dpids, dpid)) AND dpid <> $namespace
QUALIFY NOT $only_newest OR row_number() OVER (PARTITION BY dpid, of_id ORDER BY last_seen DESC, seq DESC, id DESC) = 1;
