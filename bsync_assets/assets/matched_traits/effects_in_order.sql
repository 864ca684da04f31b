-- Effects of items, `effect` as its position in $effects; that an item is a term of some rule is told once, as `used`.
-- Grain: one row per item, context, effect and trait; in order of items. A trait of no context has -2, see `effects.sql`.
WITH
told AS (
    SELECT DISTINCT
        item,
        context,
        CASE effect WHEN 'term' THEN 'used' ELSE effect END AS effect,
        CASE WHEN effect <> 'term' THEN trait_id END AS trait_id
    FROM effect
)

SELECT
    item,
    coalesce(context, -2) AS context,
    CAST(list_position($effects, effect) - 1 AS INTEGER) AS effect,
    trait_id
FROM told
ORDER BY item;
