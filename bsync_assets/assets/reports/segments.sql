-- Segments at the end of the day $day, the largest first. Grain: one row per segment.
SELECT
    runs.segment_id,
    runs.status,
    runs.members,
    runs.added,
    runs.removed,
    populations.members_7
FROM segment_runs AS runs
LEFT JOIN segment_populations AS populations ON populations.day = runs.day AND populations.segment_id = runs.segment_id
WHERE runs.day = $day
ORDER BY runs.members DESC, runs.segment_id;
