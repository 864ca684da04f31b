-- Items of countable records that name a trait, realize one by themselves, or anchor a rule, for the target of their file.
-- Grain: one row per occurrence of an item and effect. Countable = processed, well formed, not opted out (INB-129).
WITH
pointed AS (
    FROM effect
    WHERE effect.effect <> 'term'
)

SELECT
    countable.rec,
    countable.file,
    countable.is_sound,
    pointed.effect,
    pointed.trait_id
FROM token
INNER JOIN countable ON countable.rec = token.rec
INNER JOIN pointed ON pointed.item = token.item AND pointed.context = countable.context;
