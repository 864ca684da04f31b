-- The cross-product ID (namespace 4) of each row's device, of the newest link. Reads `device_link`.
SELECT row_id AS id, arg_max(id, (last_seen, seq)) AS mcid
FROM device_link
WHERE dpid = 4
GROUP BY row_id;
