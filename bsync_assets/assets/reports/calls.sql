-- Calls of the day $day by what became of them. Grain: one row per outcome.
SELECT
    outcome,
    count(*) AS calls
FROM id_sync_events
WHERE day = $day
GROUP BY outcome
ORDER BY count(*) DESC, outcome;
