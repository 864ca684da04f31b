-- How often each partner delivers, by the days its files are for: when they were run plays no part. Grain: one row per partner.
-- The rhythm is the gap that nine of ten of its last 28 gaps do not exceed, once there are 4.
WITH
delivered AS (
    SELECT DISTINCT
        partner,
        day
    FROM stored.inbound_files
    WHERE status IN ('accepted', 'held')
),

gaps AS (
    SELECT
        partner,
        day,
        day - lag(day) OVER (PARTITION BY partner ORDER BY day) AS days,
        row_number() OVER (PARTITION BY partner ORDER BY day DESC) AS nth
    FROM delivered
)

SELECT
    partner,
    count(days) FILTER (nth <= 28) AS gaps_known,
    max(day) AS last_day,
    CASE WHEN gaps_known >= 4 THEN quantile_disc(days, 0.9) FILTER (nth <= 28) END AS usual_gap,
    CASE WHEN gaps_known >= 4 THEN max(day) + quantile_disc(days, 0.9) FILTER (nth <= 28)::INTEGER END AS next_day,
    coalesce(next_day <= (SELECT max(day) FROM stored.runs WHERE finished_at >= day + INTERVAL 1 DAY), false) AS is_missing
FROM gaps
GROUP BY partner;
