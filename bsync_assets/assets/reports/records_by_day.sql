-- What became of the records of data files in the four weeks up to the day $day. Grain: one row per day that was run.
SELECT
    runs.day,
    coalesce(sum(files.stored_records), 0)::BIGINT AS stored,
    coalesce(sum(files.no_matching_aam_id), 0)::BIGINT AS unmatched,
    coalesce(sum(files.no_trait_realized), 0)::BIGINT AS no_trait,
    coalesce(sum(files.format_errors + files.invalid_aam_id + files.invalid_device_id), 0)::BIGINT AS broken
FROM (SELECT DISTINCT day FROM runs) AS runs
LEFT JOIN onboarding_status AS files ON files.day = runs.day AND files.family = 'data'
WHERE runs.day BETWEEN CAST($day AS DATE) - 27 AND CAST($day AS DATE)
GROUP BY runs.day
ORDER BY runs.day;
