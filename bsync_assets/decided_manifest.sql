-- The manifest of the day $day with the decision about these files. Grain: one row per file, as in inbound_files.
-- Those of $file_ids in $batch get $status and $reason; $who decided at $now.
WITH
files AS (
    SELECT
        *,
        list_contains($file_ids, file_id) AND batch = $batch AS is_decided
    FROM lake.main.inbound_files
    WHERE day = $day
)

SELECT
    * EXCLUDE (is_decided)
    REPLACE (
        CASE WHEN is_decided THEN $status ELSE status END AS status,
        CASE WHEN is_decided THEN $reason ELSE reject_reason END AS reject_reason,
        CASE WHEN is_decided THEN $who ELSE decided_by END AS decided_by,
        CASE WHEN is_decided THEN $now ELSE decided_at END AS decided_at
    )
FROM files;
