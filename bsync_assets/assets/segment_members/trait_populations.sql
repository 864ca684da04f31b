-- How many profiles realized each trait in the windows that end with $day, and hold it now (SEG-060, SEG-061).
-- Grain: one row per trait of the catalog and kind of profile; 0 = no data. Reads `known_trait(trait_id)`; $people: cross-device
-- sources. Who holds a trait is carried on from the day before by what changed, or counted anew when there is no day before.
-- Reads also `traits_now`; $is_carried_on says which, $has_earlier: whether any day was counted before.
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

-- When each profile realized a trait last, within the longest window: how many of them on each day. What is of today is compared
-- with earlier days only where there are any.
last_realization AS (
    SELECT
        trait_id,
        dpid,
        CAST($day AS DATE) AS day,
        count(*) AS profiles
    FROM realized_today
    GROUP BY trait_id, dpid
    UNION ALL
    SELECT
        trait_id,
        dpid,
        day,
        count(*) AS profiles
    FROM (
        SELECT
            trait_id,
            dpid,
            max(day) AS day
        FROM lake.main.profile_traits_changes
        ANTI JOIN (FROM realized_today WHERE $has_earlier) AS again USING (trait_id, dpid, id)
        WHERE day > CAST($day AS DATE) - 90 AND day < $day AND change <> 'removed'
        GROUP BY trait_id, dpid, id
    )
    GROUP BY trait_id, dpid, day
),

uniques AS (
    SELECT
        trait_id,
        CASE WHEN list_contains($people, dpid) THEN 'person' ELSE 'device' END AS kind,
        sum(profiles) FILTER (day > CAST($day AS DATE) - 1) AS unique_1,
        sum(profiles) FILTER (day > CAST($day AS DATE) - 7) AS unique_7,
        sum(profiles) FILTER (day > CAST($day AS DATE) - 14) AS unique_14,
        sum(profiles) FILTER (day > CAST($day AS DATE) - 30) AS unique_30,
        sum(profiles) FILTER (day > CAST($day AS DATE) - 60) AS unique_60,
        sum(profiles) AS unique_90
    FROM last_realization
    GROUP BY ALL
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
            holders
        FROM (
            SELECT
                trait_id,
                dpid,
                sum(CASE change WHEN 'added' THEN 1 WHEN 'removed' THEN -1 ELSE 0 END) AS holders
            FROM lake.main.profile_traits_changes
            WHERE day = $day AND $is_carried_on
            GROUP BY trait_id, dpid
        )
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
