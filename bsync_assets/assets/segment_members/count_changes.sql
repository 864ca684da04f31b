-- The day's change set of `trait_counts`: visits add realizations at their UTC date, the end of a life drops all (TRT-084).
-- Visits count where they left a trait: not for deleted traits, nor for lives that were over before they began.
-- Reads the views `traits_now`, `counts_before`; $day.
WITH
visited AS (
    SELECT
        dpid,
        id,
        trait_id,
        CAST(last_at AS DATE) AS date,
        sum(count) AS count
    FROM lake.main.event_traits
    WHERE day = $day
    GROUP BY ALL
),

realized AS (
    SELECT visited.*
    FROM visited
    INNER JOIN traits_now USING (dpid, id, trait_id)
),

ended AS (
    SELECT
        dpid,
        id,
        trait_id
    FROM lake.main.profile_traits_changes
    WHERE day = $day AND change <> 'renewed'
),

known AS (
    SELECT
        counts_before.dpid,
        counts_before.id,
        counts_before.trait_id,
        counts_before.date,
        counts_before.count,
        ended.id IS NOT NULL AS is_over
    FROM counts_before
    LEFT JOIN ended USING (dpid, id, trait_id)
    LEFT JOIN realized USING (dpid, id, trait_id, date)
    WHERE ended.id IS NOT NULL OR realized.id IS NOT NULL
)

SELECT
    dpid,
    id,
    trait_id,
    date,
    coalesce(CASE WHEN NOT known.is_over THEN known.count END, 0) + coalesce(realized.count, 0) AS count,
    CASE WHEN realized.id IS NULL THEN 'removed' WHEN known.id IS NULL THEN 'added' ELSE 'renewed' END AS change,
    NULL::VARCHAR AS reason
FROM known
FULL JOIN realized USING (dpid, id, trait_id, date);
