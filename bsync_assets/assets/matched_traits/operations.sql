-- What each record asks for: one row per record and trait; within one record a removal wins (INB-86, INB-87).
WITH
asked AS (
    SELECT
        rec,
        trait_id,
        effect = 'remove' AS removes
    FROM hit
    WHERE effect IN ('add', 'remove') AND is_sound
    UNION ALL
    SELECT
        signature.rec,
        signature.trait_id,
        false AS removes
    FROM signature
    INNER JOIN fulfilled ON fulfilled.trait_id = signature.trait_id AND fulfilled.terms = signature.terms
)

SELECT
    rec,
    trait_id,
    CASE WHEN bool_or(removes) THEN 'remove' ELSE 'add' END AS operation
FROM asked
GROUP BY rec, trait_id;
