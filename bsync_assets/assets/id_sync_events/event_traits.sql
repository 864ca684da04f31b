-- What the day's visits realized, for `event_traits`. Grain: one row per profile and trait.
-- With a cross-device ID in state 1 each such profile gets it, else the device (SEG-002, SEG-004).
WITH
authenticated AS (
    SELECT DISTINCT
        declared.event,
        declared.dpid,
        declared.id
    FROM temp.event_ids AS declared
    SEMI JOIN cross_device ON cross_device.dpid = declared.dpid
    WHERE declared.auth = 1
),

profiles AS (
    FROM authenticated
    UNION ALL
    SELECT
        event,
        0::BIGINT AS dpid,
        device_id AS id
    FROM temp.id_sync_events
    WHERE outcome = 'taken' AND event NOT IN (SELECT event FROM authenticated)
)

SELECT
    CAST($day AS DATE) AS day,
    profiles.dpid,
    profiles.id,
    realized.trait_id,
    count(*) AS count,
    min(events.called_at) AS first_at,
    max(events.called_at) AS last_at
FROM realized
INNER JOIN profiles ON profiles.event = realized.event
INNER JOIN temp.id_sync_events AS events ON events.event = realized.event
GROUP BY profiles.dpid, profiles.id, realized.trait_id;
