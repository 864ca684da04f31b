-- All IDs of each row's device in the namespace of the destination, most recent link first (OUT-046).
-- Reads `device_link`; $namespace.
SELECT row_id AS id, list(id ORDER BY last_seen DESC, seq DESC, id) AS dp_uuid_list
FROM device_link
WHERE dpid = $namespace
GROUP BY row_id;
