-- Items of countable records that mean something to the target of their file. Grain: one row per item occurrence and effect;
-- `token_no` tells occurrences apart. Countable = processed, well formed, not opted out (INB-129).
WITH
meaningful AS (
    SELECT
        token.rec,
        token.item,
        row_number() OVER () AS token_no
    FROM token
    WHERE token.item IN (SELECT item FROM effect)
)

SELECT
    meaningful.token_no,
    countable.rec,
    countable.file,
    effect.effect,
    effect.trait_id,
    effect.term
FROM meaningful
INNER JOIN countable ON countable.rec = meaningful.rec
INNER JOIN effect ON effect.item = meaningful.item AND effect.context = countable.context;
