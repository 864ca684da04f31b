-- IDs on the calls that were taken, for `event_ids`. Grain: one row per call, ID and authentication state.
-- Reads `captured`, `id_sync_events`; $day.
SELECT DISTINCT
    CAST($day AS DATE) AS day,
    declared.event,
    CAST(declared.entry[1] AS BIGINT) AS dpid,
    declared.entry[2] ->> '$' AS id,
    CAST(declared.entry[3] ->> '$' AS INTEGER) AS auth
FROM (SELECT event, unnest(ids) AS entry FROM captured) AS declared
SEMI JOIN temp.id_sync_events AS taken ON taken.event = declared.event AND taken.outcome = 'taken';
