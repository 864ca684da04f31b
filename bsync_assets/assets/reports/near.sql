-- Signals that a rule nearly used. Grain: one row per partner, key, trait and kind of change. Of $day.
SELECT
    partner,
    key,
    trait_id,
    change,
    count(*) AS pairs,
    sum(hits)::BIGINT AS hits,
    sum(users)::BIGINT AS users
FROM unused_signals
WHERE day = $day AND trait_id IS NOT NULL
GROUP BY partner, key, trait_id, change
ORDER BY sum(users) DESC, sum(hits) DESC, partner, key, trait_id, change;
