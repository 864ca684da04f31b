-- All links of each row's device, for DPUUIDS (OUT-048). Reads `device_link`.
SELECT row_id AS id, list({'dpid': dpid, 'id': id, 'seen': epoch_us(last_seen)}) AS maps
FROM device_link
GROUP BY row_id;
