-- Per shape and trait: which terms of the trait's rule hold. Grain: one row per shape and trait with at least one.
-- Private signals come as the names of the comparisons they satisfied (TRT-006). `only` limits it to one data source (INB-175).
-- Reads `event_shape`, `satisfied`, `verdict`, `rule_term`.
WITH
shapes AS (
    SELECT DISTINCT
        shape,
        items,
        verdicts,
        "only"
    FROM event_shape
),

satisfying AS (
    SELECT
        useful.shape,
        useful."only",
        satisfied.comparison
    FROM (SELECT shape, "only", unnest(items) AS item FROM shapes) AS useful
    INNER JOIN satisfied ON satisfied.item = useful.item
    UNION ALL
    SELECT
        judged.shape,
        judged."only",
        verdict.comparison
    FROM (SELECT shape, "only", unnest(verdicts) AS name FROM shapes) AS judged
    INNER JOIN verdict ON verdict.name = judged.name
)

SELECT
    satisfying.shape,
    rule_term.trait_id,
    list_sort(list(DISTINCT rule_term.term)) AS terms
FROM satisfying
INNER JOIN rule_term ON rule_term.comparison = satisfying.comparison
WHERE coalesce(satisfying."only" = rule_term.data_source, true)
GROUP BY satisfying.shape, rule_term.trait_id;
