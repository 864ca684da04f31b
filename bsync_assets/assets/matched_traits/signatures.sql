-- Per record and trait with a rule of several terms: which terms hold. Distinct combinations are judged once each.
SELECT
    rec,
    trait_id,
    list_sort(list(DISTINCT term)) AS terms
FROM hit
WHERE effect = 'term' AND rec IN (SELECT rec FROM countable WHERE is_sound)
GROUP BY rec, trait_id;
