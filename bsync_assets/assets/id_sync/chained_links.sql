-- One more step of the chained rows: further IDs are linked to every device the first ID has by now (IDS-61, IDS-67).
-- A link that rests on one of today counts as seen no earlier than that one.
-- Reads `link_before`, `sighting`, `pair`, `opted_out`; $level: number of the step.
WITH
devices AS (
    SELECT
        dpid,
        id,
        device_dpid,
        device_id,
        max(seen_at) AS seen_at,
        max(via) AS via
    FROM (
        SELECT
            dpid,
            id,
            device_dpid,
            device_id,
            NULL AS seen_at,
            row_number() OVER (ORDER BY last_seen, seq) AS via
        FROM link_before
        UNION ALL
        SELECT
            dpid,
            id,
            device_dpid,
            device_id,
            seen_at,
            row_no AS via
        FROM sighting
    ) AS known
    GROUP BY dpid, id, device_dpid, device_id
)

SELECT
    $level AS level,
    pair.row_no,
    pair.col,
    pair.dpid,
    pair.id,
    devices.device_dpid,
    devices.device_id,
    greatest(pair.seen_at, devices.seen_at) AS seen_at,
    devices.via
FROM pair
INNER JOIN devices ON devices.dpid = pair.master_dpid AND devices.id = pair.master_id
ANTI JOIN opted_out ON opted_out.dpid = devices.device_dpid AND opted_out.id = devices.device_id
ANTI JOIN sighting
    ON sighting.row_no = pair.row_no
    AND sighting.col = pair.col
    AND sighting.device_dpid = devices.device_dpid
    AND sighting.device_id = devices.device_id
WHERE pair.format = 'adobe_id'
    AND NOT pair.is_direct
    AND NOT pair.is_opted_out;
