-- The catalog that the day $day and the day run before it used last. Grain: one row per day, the newest first.
SELECT
    day,
    arg_max(catalog_sha256, finished_at) AS catalog
FROM runs
WHERE day <= $day
GROUP BY day
ORDER BY day DESC
LIMIT 2;
