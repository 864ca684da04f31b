-- The manifest of the day with these files held. Grain: one row per file, as in inbound_files. Reads `held_file`; $day.
SELECT
    files.* REPLACE (
        CASE WHEN held.file_id IS NULL THEN files.status ELSE 'held' END AS status,
        CASE WHEN held.file_id IS NULL THEN files.reject_reason ELSE 'removes_too_much' END AS reject_reason,
        coalesce(held.removed, files.would_remove) AS would_remove
    )
FROM lake.main.inbound_files AS files
LEFT JOIN held_file AS held ON held.file_id = files.file_id AND files.status = 'accepted'
WHERE files.day = $day;
