-- What the day's visits realized, for `event_traits`. Grain: one row per profile and trait.
-- With a cross-device ID in state 1 each such profile gets it, else the device (SEG-002, SEG-004).
-- Reads `event_ids`, `cross_device`, `id_sync_events`, `event_shape`, `realized`; $day.
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
),

-- Visits of one profile and shape are counted before traits multiply them.
visits AS (
    SELECT
        profiles.dpid,
        profiles.id,
        event_shape.shape,
        count(*) AS count,
        min(events.called_at) AS first_at,
        max(events.called_at) AS last_at
    FROM event_shape
    INNER JOIN profiles ON profiles.event = event_shape.event
    INNER JOIN temp.id_sync_events AS events ON events.event = event_shape.event
    WHERE event_shape.shape IN (SELECT shape FROM realized)
    GROUP BY profiles.dpid, profiles.id, event_shape.shape
)

SELECT
    CAST($day AS DATE) AS day,
    visits.dpid,
    visits.id,
    realized.trait_id,
    sum(visits.count)::BIGINT AS count,
    min(visits.first_at) AS first_at,
    max(visits.last_at) AS last_at
FROM visits
INNER JOIN realized ON realized.shape = visits.shape
GROUP BY visits.dpid, visits.id, realized.trait_id;
