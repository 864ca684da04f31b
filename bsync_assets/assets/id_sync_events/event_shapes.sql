-- What of each event bears on traits, and the same for many: its shape. Grain: one row per event that was taken.
-- Rules are judged once per shape. A day has far fewer shapes than events, since only signals that satisfy a comparison count.
-- Reads `item`, `event_signals`, `satisfied`, `captured`, `id_sync_events`.
WITH
useful AS (
    SELECT
        signals.event,
        list_sort(list(item.item)) AS items
    FROM temp.event_signals AS signals
    INNER JOIN item ON item.key = signals.key AND item.value = signals.value
    WHERE item.item IN (SELECT item FROM satisfied)
    GROUP BY signals.event
),

facts AS (
    SELECT
        captured.event,
        coalesce(useful.items, []) AS items,
        coalesce(captured.satisfied, []) AS verdicts,
        coalesce(captured.traits, []) AS traits,
        captured."only"
    FROM captured
    LEFT JOIN useful ON useful.event = captured.event
    SEMI JOIN temp.id_sync_events AS taken ON taken.event = captured.event AND taken.outcome = 'taken'
    WHERE captured.call = 'event'
)

SELECT
    *,
    dense_rank() OVER (ORDER BY items, verdicts, traits, "only") AS shape
FROM facts;
