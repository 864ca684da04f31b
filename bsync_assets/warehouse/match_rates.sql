-- How well the IDs of each source matched on the day its files came in, and in the four weeks before.
-- Grain: one row per day, partner and data source of user IDs.
WITH
daily AS (
    SELECT
        day,
        partner,
        dpid,
        sum(records_processed - format_errors - invalid_aam_id - invalid_device_id - opted_out)::BIGINT AS records,
        records - sum(no_matching_aam_id)::BIGINT AS matched
    FROM data_figures
    GROUP BY day, partner, dpid
),

rated AS (
    SELECT
        *,
        round(100 * matched / nullif(records, 0), 2) AS match_rate
    FROM daily
),

compared AS (
    SELECT
        *,
        count(match_rate) OVER before AS days_known,
        round(median(match_rate) OVER before, 2) AS usual_rate,
        round(median(records) OVER before) AS usual_records
    FROM rated
    WINDOW before AS (
        PARTITION BY partner, dpid
        ORDER BY day
        RANGE BETWEEN INTERVAL 28 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING
    )
)

SELECT
    day,
    partner,
    dpid,
    records,
    matched,
    match_rate,
    days_known,
    usual_rate,
    round(match_rate - usual_rate, 2) AS trend,
    CAST(usual_records AS BIGINT) AS usual_records
FROM compared
