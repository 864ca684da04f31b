-- Rows with a device in the first column: each further ID is linked to that device (IDS-60, IDS-68). Reads `pair`.
SELECT
    0 AS level,
    row_no,
    col,
    dpid,
    id,
    master_dpid AS device_dpid,
    master_id AS device_id,
    seen_at,
    0::BIGINT AS via
FROM pair
WHERE format = 'adobe_id' AND is_direct AND NOT is_opted_out;
