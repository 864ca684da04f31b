-- Calls of the day that were taken: each ID on one is linked to the device of the call (IDS-86, IDS-100, IDS-104).
-- They have row numbers below those of files, which keeps them out of the files' figures. Reads `opted_out`; $day.
SELECT DISTINCT
    0 AS level,
    declared.event - (1::BIGINT << 40) AS row_no,
    1 AS col,
    declared.dpid,
    declared.id,
    0::BIGINT AS device_dpid,
    events.device_id,
    events.called_at AS seen_at,
    0::BIGINT AS via
FROM lake.main.event_ids AS declared
INNER JOIN lake.main.id_sync_events AS events ON events.day = $day AND events.event = declared.event
ANTI JOIN opted_out AS declared_out ON declared_out.dpid = declared.dpid AND declared_out.id = declared.id
ANTI JOIN opted_out AS device_out ON device_out.dpid = 0 AND device_out.id = events.device_id
WHERE declared.day = $day
    AND NOT (declared.dpid = 0 AND declared.id = events.device_id);
