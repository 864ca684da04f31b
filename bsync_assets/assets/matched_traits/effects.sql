-- What each item from number $first on means in each context (target data source, sync or overwrite): INB-60 to INB-66, INB-80,
-- INB-81, INB-84, TRT-070 to TRT-073. Grain: one row per item, context and effect.
-- effect: add or remove a trait; term = satisfies term number `term` of a rule that needs more, anchor = one without which the
-- rule cannot hold; foreign, foreign_removal = names a trait of others in every context but those of its own data source, of which
-- `context` is one, or null: a row for each would be items times partners.
-- Reads `satisfied`, `item`, `context`, `rule_term`, `trait`.
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
        item.kind,
        item.trait_id,
        CASE WHEN trait.kind = 'onboarded' THEN trait.data_source END AS data_source
    FROM item
    INNER JOIN trait ON trait.trait_id = item.trait_id
    WHERE item.item >= $first AND item.kind IN ('add', 'remove', 'bare')
),

of_own AS (
    SELECT
        by_id.item,
        context.context,
        by_id.kind,
        by_id.trait_id
    FROM by_id
    INNER JOIN context ON context.target = by_id.data_source
    WHERE by_id.kind <> 'remove' OR NOT context.is_overwrite
),

home AS (
    SELECT
        target,
        min(context) AS context
    FROM context
    GROUP BY target
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
    CASE kind WHEN 'remove' THEN 'remove' ELSE 'add' END AS effect,
    trait_id,
    NULL AS term
FROM of_own
-- a bare number is a trait ID only when no rule of the target takes it as ic=V (INB-64)
WHERE kind <> 'bare' OR (item, context) NOT IN (SELECT (item, context) FROM by_rule)
UNION ALL
SELECT
    by_id.item,
    home.context,
    CASE by_id.kind WHEN 'remove' THEN 'foreign_removal' ELSE 'foreign' END AS effect,
    by_id.trait_id,
    NULL AS term
FROM by_id
LEFT JOIN home ON home.target = by_id.data_source
WHERE by_id.kind <> 'bare';
