-- Links of the devices in the delivery, of any namespace, either way round; reads `row_device` and `link`, the links of the day.
WITH
either_way AS (
    SELECT device_dpid, device_id, dpid, id, last_seen, seq FROM link
    UNION ALL
    SELECT dpid AS device_dpid, id AS device_id, device_dpid AS dpid, device_id AS id, last_seen, seq FROM link
)

SELECT row_device.id AS row_id, either_way.dpid, either_way.id, either_way.last_seen, either_way.seq
FROM row_device
JOIN either_way USING (device_dpid, device_id);
