-- Calls of the day that were taken: each ID on one is linked to the device of the call (IDS-86, IDS-100, IDS-104).
-- They have row numbers below those of files, which keeps them out of the files' figures.
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
WHERE declared.day = $day
    AND NOT (declared.dpid = 0 AND declared.id = events.device_id)
    AND NOT EXISTS (FROM opted_out WHERE opted_out.dpid = declared.dpid AND opted_out.id = declared.id)
    AND NOT EXISTS (FROM opted_out WHERE opted_out.dpid = 0 AND opted_out.id = events.device_id);
