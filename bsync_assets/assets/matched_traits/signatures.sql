-- Per record and trait whose rule needs more than one term: which terms hold. Only where an anchor of the rule is satisfied,
-- since without one it cannot hold; so a term that thousands of rules share costs nothing where they have no anchor.
WITH
anchored AS (
    SELECT
        asked.rec,
        asked.trait_id,
        countable.context
    FROM asked
    INNER JOIN countable ON countable.rec = asked.rec
    WHERE asked.effect = 'anchor'
)

SELECT
    anchored.rec,
    anchored.trait_id,
    list(DISTINCT effect.term ORDER BY effect.term) AS terms
FROM anchored
INNER JOIN anchored_token AS token ON token.rec = anchored.rec
INNER JOIN effect
    ON effect.item = token.item AND effect.trait_id = anchored.trait_id AND effect.context = anchored.context
WHERE effect.effect = 'term'
GROUP BY anchored.rec, anchored.trait_id;
