-- Per record and trait whose rule needs more than one term: which terms hold. Only where an anchor of the rule is satisfied,
-- since without one it cannot hold; so a term that thousands of rules share costs nothing where they have no anchor.
WITH
anchored AS (
    SELECT DISTINCT
        rec,
        trait_id
    FROM hit
    WHERE effect = 'anchor' AND is_sound
),

terms AS (
    SELECT DISTINCT
        anchored.rec,
        anchored.trait_id,
        effect.term
    FROM anchored
    INNER JOIN countable ON countable.rec = anchored.rec
    INNER JOIN token ON token.rec = anchored.rec
    INNER JOIN effect
        ON effect.item = token.item AND effect.trait_id = anchored.trait_id AND effect.context = countable.context
    WHERE effect.effect = 'term'
)

SELECT
    rec,
    trait_id,
    list(term ORDER BY term) AS terms
FROM terms
GROUP BY rec, trait_id;
