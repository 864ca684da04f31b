-- How many profiles realized each trait in the windows that end with $day, and hold it now (SEG-060, SEG-061).
-- Grain: one row per trait of the catalog and kind of profile; 0 = no data. Reads `known_trait(trait_id)`; $people: cross-device
-- sources. Who holds a trait is carried on from the day before by what changed, or counted anew when there is no day before.
WITH
kinds AS (
    SELECT unnest(['device', 'person']) AS kind
),

realized_today AS (
    SELECT
        trait_id,
        dpid,
        id
    FROM lake.main.profile_traits_changes
    WHERE day = $day AND change <> 'removed'
),

-- When each profile realized a trait last, within the longest window. What is of today need not be looked for twice.
last_realization AS (
    SELECT
        trait_id,
        CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
        CAST($day AS DATE) AS day
    FROM realized_today
    UNION ALL
    SELECT
        trait_id,
        CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
        max(day) AS day
    FROM lake.main.profile_traits_changes
    ANTI JOIN realized_today USING (trait_id, dpid, id)
    WHERE day > CAST($day AS DATE) - 90 AND day < $day AND change <> 'removed'
    GROUP BY trait_id, dpid, id
),

uniques AS (
    SELECT
        trait_id,
        kind,
        count(*) FILTER (day > CAST($day AS DATE) - 1) AS unique_1,
        count(*) FILTER (day > CAST($day AS DATE) - 7) AS unique_7,
        count(*) FILTER (day > CAST($day AS DATE) - 14) AS unique_14,
        count(*) FILTER (day > CAST($day AS DATE) - 30) AS unique_30,
        count(*) FILTER (day > CAST($day AS DATE) - 60) AS unique_60,
        count(*) AS unique_90
    FROM last_realization
    GROUP BY trait_id, kind
),

totals AS (
    SELECT
        trait_id,
        CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
        sum(count) FILTER (day > CAST($day AS DATE) - 1) AS total_1,
        sum(count) FILTER (day > CAST($day AS DATE) - 7) AS total_7,
        sum(count) FILTER (day > CAST($day AS DATE) - 14) AS total_14,
        sum(count) FILTER (day > CAST($day AS DATE) - 30) AS total_30,
        sum(count) FILTER (day > CAST($day AS DATE) - 60) AS total_60,
        sum(count) AS total_90
    FROM lake.main.event_traits
    WHERE day > CAST($day AS DATE) - 90 AND day <= $day
    GROUP BY ALL
),

held AS (
    SELECT
        trait_id,
        kind,
        sum(holders) AS population
    FROM (
        SELECT
            trait_id,
            kind,
            population AS holders
        FROM lake.main.trait_populations
        WHERE day = CAST($day AS DATE) - 1
        UNION ALL
        SELECT
            trait_id,
            CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
            CASE change WHEN 'added' THEN 1 WHEN 'removed' THEN -1 ELSE 0 END AS holders
        FROM lake.main.profile_traits_changes
        WHERE day = $day AND $is_carried_on
        UNION ALL
        SELECT
            trait_id,
            CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
            1 AS holders
        FROM traits_now
        WHERE NOT $is_carried_on
    )
    GROUP BY trait_id, kind
)

SELECT
    CAST($day AS DATE) AS day,
    known_trait.trait_id,
    kinds.kind,
    coalesce(held.population, 0) AS population,
    coalesce(COLUMNS(uniques.* EXCLUDE (trait_id, kind)), 0),
    coalesce(COLUMNS(totals.* EXCLUDE (trait_id, kind)), 0)
FROM known_trait
CROSS JOIN kinds
LEFT JOIN uniques USING (trait_id, kind)
LEFT JOIN totals USING (trait_id, kind)
LEFT JOIN held USING (trait_id, kind);
