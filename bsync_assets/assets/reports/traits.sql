-- Traits that somebody holds at the end of the day, the most held first; devices and people together. Grain: one row per trait.
-- Of $day.
SELECT
    trait_id,
    sum(population)::BIGINT AS population
FROM trait_populations
WHERE day = $day
GROUP BY trait_id
HAVING sum(population) > 0
ORDER BY sum(population) DESC, trait_id;
