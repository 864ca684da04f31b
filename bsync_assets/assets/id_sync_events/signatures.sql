-- Per event and trait: which terms of the trait's rule hold. Grain: one row per event and trait with at least one.
-- Private signals come as the names of the comparisons they satisfied (TRT-006). `only` limits an event to one data source (INB-175).
WITH
satisfying AS (
    SELECT
        signals.event,
        satisfied.comparison
    FROM temp.event_signals AS signals
    INNER JOIN item ON item.key = signals.key AND item.value = signals.value
    INNER JOIN satisfied ON satisfied.item = item.item
    UNION ALL
    SELECT
        judged.event,
        verdict.comparison
    FROM (SELECT event, unnest(satisfied) AS name FROM captured) AS judged
    INNER JOIN verdict ON verdict.name = judged.name
)

SELECT
    satisfying.event,
    rule_term.trait_id,
    list_sort(list(DISTINCT rule_term.term)) AS terms
FROM satisfying
INNER JOIN rule_term ON rule_term.comparison = satisfying.comparison
INNER JOIN captured ON captured.event = satisfying.event
SEMI JOIN temp.id_sync_events AS taken ON taken.event = satisfying.event AND taken.outcome = 'taken'
WHERE coalesce(captured."only" = rule_term.data_source, true)
GROUP BY satisfying.event, rule_term.trait_id;
