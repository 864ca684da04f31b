-- Signals that no rule used, nor nearly. Grain: one row per key. Of $day.
SELECT
    key,
    count(*) AS pairs,
    sum(hits)::BIGINT AS hits,
    list_sort(list(DISTINCT partner)) AS partners
FROM unused_signals
WHERE day = $day AND trait_id IS NULL
GROUP BY key
ORDER BY sum(hits) DESC, key;
