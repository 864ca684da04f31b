-- Files of the manifest whose name or hash has $base in it. Grain: one row per file, oldest first.
-- is_unfinished: something was decided about it, and no run has finished its day since.
WITH
finished AS (
    SELECT
        day,
        max(finished_at) AS finished_at
    FROM lake.main.runs
    GROUP BY day
)

SELECT
    files.day,
    files.partner,
    files.key,
    files.sha256,
    files.file_id,
    files.batch,
    files.status,
    files.reject_reason,
    files.decided_by,
    files.decided_at,
    files.decided_at > coalesce(finished.finished_at, files.decided_at - INTERVAL 1 SECOND) AS is_unfinished
FROM lake.main.inbound_files AS files
LEFT JOIN finished ON finished.day = files.day
WHERE contains(files.key, $base) OR starts_with(files.sha256, $base)
ORDER BY files.day, files.arrived_at, files.key;
