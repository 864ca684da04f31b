-- Per record and trait whose rule needs more than one term: which terms hold. Only where an anchor of the rule is satisfied,
-- since without one it cannot hold; so a term that thousands of rules share costs nothing where they have no anchor.
WITH
anchored AS MATERIALIZED (
    SELECT DISTINCT
        rec,
        trait_id
    FROM hit
    WHERE effect = 'anchor' AND is_sound
),

signals AS MATERIALIZED (
    SELECT
        anchored.rec,
        anchored.trait_id,
        signal.item,
        signal.context
    FROM anchored
    INNER JOIN signal ON signal.rec = anchored.rec
    WHERE signal.item IN (SELECT item FROM effect WHERE effect = 'term')
)

SELECT
    signals.rec,
    signals.trait_id,
    list(DISTINCT effect.term ORDER BY effect.term) AS terms
FROM signals
INNER JOIN effect
    ON effect.item = signals.item AND effect.trait_id = signals.trait_id AND effect.context = signals.context
WHERE effect.effect = 'term'
GROUP BY signals.rec, signals.trait_id;
