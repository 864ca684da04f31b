-- Traits realized where order does not matter. Grain: one row per profile and trait. A profile that only one record acts on
-- needs no grouping: a record names each trait once. Reads `acting`, `contested`; $day, $first_day: of the oldest record.
WITH
asked AS (
    SELECT
        acting.profile_no,
        operations.trait_id,
        acting.seen_at,
        acting.times
    FROM acting
    INNER JOIN lake.main.trait_operations AS operations
        ON operations.day = acting.origin_day
        AND operations.file_id = acting.file_id
        AND operations.line_no = acting.line_no
    WHERE operations.day BETWEEN $first_day AND $day AND acting.profile_no NOT IN (SELECT profile_no FROM contested)
)

SELECT
    profile_no,
    trait_id,
    seen_at AS first_seen,
    seen_at AS last_seen
FROM asked
WHERE times = 1
UNION ALL
SELECT
    profile_no,
    trait_id,
    min(seen_at) AS first_seen,
    max(seen_at) AS last_seen
FROM asked
WHERE times > 1
GROUP BY profile_no, trait_id;
