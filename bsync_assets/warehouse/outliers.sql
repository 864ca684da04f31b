-- Figures of a day that leave the band of their own history. Grain: one row per day, partner, source and figure. The band lies
-- around the median of the 28 deliveries before, once there are 7: five times the usual deviation, at least half the median and
-- 100 records, or 10 percentage points.
WITH
totals AS (
    SELECT
        day,
        partner,
        dpid,
        sum(records_received) AS received,
        sum(records_processed - format_errors - invalid_aam_id - invalid_device_id - opted_out) AS matchable,
        sum(no_matching_aam_id) AS unmatched
    FROM stored.data_figures
    GROUP BY day, partner, dpid
),

figures AS (
    SELECT
        day,
        partner,
        dpid,
        'records_received' AS figure,
        received::DOUBLE AS value,
        0.5 AS share,
        100 AS width
    FROM totals
    UNION ALL
    SELECT
        day,
        partner,
        dpid,
        'match_rate' AS figure,
        100.0 * (matchable - unmatched) / matchable AS value,
        0.0 AS share,
        10 AS width
    FROM totals
    WHERE matchable > 0
),

compared AS (
    SELECT
        day,
        partner,
        dpid,
        figure,
        value,
        count(*) OVER earlier AS known,
        median(value) OVER earlier AS usual,
        greatest(5 * mad(value) OVER earlier, share * median(value) OVER earlier, width) AS spread
    FROM figures
    WINDOW earlier AS (PARTITION BY partner, dpid, figure ORDER BY day ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING)
)

SELECT
    day,
    partner,
    dpid,
    figure,
    value,
    usual,
    greatest(usual - spread, 0) AS low,
    usual + spread AS high
FROM compared
WHERE known >= 7 AND abs(value - usual) > spread;
