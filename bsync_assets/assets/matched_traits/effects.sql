-- What each item from number $first on means in each context (target data source, sync or overwrite): INB-60 to INB-66, INB-80,
-- INB-81, INB-84, TRT-070 to TRT-073. Grain: one row per item, context and effect.
-- effect: add or remove a trait; term = satisfies term number `term` of a rule that needs more, anchor = one without which the
-- rule cannot hold; failed = names a foreign trait. Reads `satisfied`, `item`, `context`, `rule_term`, `trait`.
WITH
by_rule AS (
    SELECT DISTINCT
        satisfied.item,
        context.context,
        rule_term.trait_id,
        rule_term.term,
        rule_term.is_simple,
        rule_term.is_anchor
    FROM satisfied
    INNER JOIN rule_term ON rule_term.comparison = satisfied.comparison
    INNER JOIN context ON context.target = rule_term.target
),

by_id AS (
    SELECT
        item.item,
        context.context,
        item.kind,
        item.trait_id,
        trait.data_source = context.target AND trait.kind = 'onboarded' AS is_valid
    FROM item
    INNER JOIN trait ON trait.trait_id = item.trait_id
    CROSS JOIN context
    WHERE item.item >= $first
        AND (item.kind IN ('add', 'bare') OR (item.kind = 'remove' AND NOT context.is_overwrite))
)

SELECT DISTINCT
    item,
    context,
    CASE WHEN is_simple THEN 'add' ELSE 'term' END AS effect,
    trait_id,
    CASE WHEN is_simple THEN NULL ELSE term END AS term
FROM by_rule
UNION ALL
SELECT DISTINCT
    item,
    context,
    'anchor' AS effect,
    trait_id,
    NULL AS term
FROM by_rule
WHERE is_anchor
UNION ALL
SELECT
    item,
    context,
    CASE WHEN NOT is_valid THEN 'failed' WHEN kind = 'remove' THEN 'remove' ELSE 'add' END AS effect,
    trait_id,
    NULL AS term
FROM by_id
WHERE kind <> 'bare'
UNION ALL
-- a bare number is a trait ID only when no rule of the target takes it as ic=V (INB-64)
SELECT
    item,
    context,
    'add' AS effect,
    trait_id,
    NULL AS term
FROM by_id
WHERE kind = 'bare' AND is_valid AND (item, context) NOT IN (SELECT (item, context) FROM by_rule);
