-- Signals of the events that were taken, for `event_signals`. Grain: one row per event, key and value.
-- Reads `captured`, `id_sync_events`; $day.
SELECT
    CAST($day AS DATE) AS day,
    said.event,
    said.signal[1] AS key,
    unnest(said.signal[2:]) AS value
FROM (SELECT event, unnest(signals) AS signal FROM captured) AS said
SEMI JOIN temp.id_sync_events AS taken ON taken.event = said.event AND taken.outcome = 'taken';
