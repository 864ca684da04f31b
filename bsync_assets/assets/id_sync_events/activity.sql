-- Who was seen alive, for the change set of `activity`: the devices of the calls that were taken, and IDs in authentication
-- state 1 (PRV-041, TRT-085). Grain: one row per ID. Reads `id_sync_events`, `event_ids`, `activity_before`.
WITH
seen AS (
    SELECT
        0::BIGINT AS dpid,
        device_id AS id,
        called_at
    FROM temp.id_sync_events
    WHERE outcome = 'taken'
    UNION ALL
    SELECT
        declared.dpid,
        declared.id,
        taken.called_at
    FROM temp.event_ids AS declared
    INNER JOIN temp.id_sync_events AS taken ON taken.event = declared.event
    WHERE declared.auth = 1
),

today AS (
    SELECT
        dpid,
        id,
        min(called_at) AS first_at,
        max(called_at) AS last_at
    FROM seen
    GROUP BY dpid, id
)

SELECT
    today.dpid,
    today.id,
    CASE WHEN known.id IS NULL THEN today.first_at ELSE known.first_at END AS first_at,
    today.last_at,
    CASE WHEN known.id IS NULL THEN 'added' ELSE 'renewed' END AS change,
    NULL::VARCHAR AS reason
FROM today
LEFT JOIN activity_before AS known ON known.dpid = today.dpid AND known.id = today.id;
