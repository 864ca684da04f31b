-- Traits realized where order does not matter. Grain: one row per profile and trait. A profile that only one record acts on
-- needs no grouping: a record names each trait once. The join stands twice, since one for both would be copied first.
-- Reads `acting`, `contested`; $day, $first_day: of the oldest record.
SELECT
    acting.profile_no,
    operations.trait_id,
    acting.seen_at AS first_seen,
    acting.seen_at AS last_seen
FROM acting
INNER JOIN lake.main.trait_operations AS operations
    ON operations.day = acting.origin_day
    AND operations.file_id = acting.file_id
    AND operations.line_no = acting.line_no
ANTI JOIN contested ON contested.profile_no = acting.profile_no
WHERE acting.times = 1 AND operations.day BETWEEN $first_day AND $day
UNION ALL
SELECT
    acting.profile_no,
    operations.trait_id,
    min(acting.seen_at) AS first_seen,
    max(acting.seen_at) AS last_seen
FROM acting
INNER JOIN lake.main.trait_operations AS operations
    ON operations.day = acting.origin_day
    AND operations.file_id = acting.file_id
    AND operations.line_no = acting.line_no
ANTI JOIN contested ON contested.profile_no = acting.profile_no
WHERE acting.times > 1 AND operations.day BETWEEN $first_day AND $day
GROUP BY acting.profile_no, operations.trait_id;
