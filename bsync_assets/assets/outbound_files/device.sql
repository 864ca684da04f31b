-- The device each ID of the namespace stands for: of the newest link, a platform ID before any other, ties by lower ID (OUT-049).
-- Reads `edge`; $device_dpids: namespaces of devices.
SELECT id, dpid AS device_dpid, of_id AS device_id
FROM edge
WHERE list_contains($device_dpids, dpid)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY dpid <> 0, last_seen DESC, seq DESC, of_id) = 1;
