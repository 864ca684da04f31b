-- Profiles for which order matters today: a record takes something away, or replaces. Grain: one row per profile.
-- Reads `acting`; $day, $first_day: of the oldest record.
SELECT DISTINCT acting.profile_no
FROM acting
WHERE acting.is_overwrite
UNION
SELECT DISTINCT acting.profile_no
FROM acting
INNER JOIN lake.main.trait_operations AS asked
    ON asked.day = acting.origin_day AND asked.file_id = acting.file_id AND asked.line_no = acting.line_no
WHERE asked.operation = 'remove' AND asked.day BETWEEN $first_day AND $day;
