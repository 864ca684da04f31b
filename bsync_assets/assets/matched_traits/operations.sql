-- What each record asks for: one row per record and trait; within one record a removal wins (INB-86, INB-87).
WITH
by_item AS (
    SELECT
        rec,
        trait_id,
        effect AS operation
    FROM asked
    WHERE effect IN ('add', 'remove')
),

by_rule AS (
    SELECT
        signature.rec,
        signature.trait_id
    FROM signature
    INNER JOIN fulfilled ON fulfilled.trait_id = signature.trait_id AND fulfilled.terms = signature.terms
)

FROM by_item
UNION ALL
SELECT
    by_rule.rec,
    by_rule.trait_id,
    'add' AS operation
FROM by_rule
ANTI JOIN by_item USING (rec, trait_id);
