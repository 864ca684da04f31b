-- Traits held before and taken away, per record that did it (INB-131). Grain: one row per record and trait; what an overwrite
-- takes counts once per user, with the first of its records. Reads `event`, `acting`.
WITH
lost AS (
    FROM event
    WHERE removes AND held_before
),

replacing AS (
    SELECT
        profile_no,
        unit,
        user_no,
        min_by(rec, (file_id, line_no)) AS rec
    FROM acting
    WHERE is_overwrite
    GROUP BY profile_no, unit, user_no
),

first_of_user AS (
    SELECT
        unit,
        user_no,
        min(rec) AS rec
    FROM replacing
    GROUP BY unit, user_no
)

SELECT DISTINCT
    rec,
    trait_id
FROM lost
WHERE NOT is_overwrite
UNION ALL
SELECT DISTINCT
    first_of_user.rec,
    lost.trait_id
FROM lost
INNER JOIN replacing ON replacing.profile_no = lost.profile_no AND replacing.unit = lost.unit
INNER JOIN first_of_user ON first_of_user.unit = replacing.unit AND first_of_user.user_no = replacing.user_no
WHERE lost.is_overwrite;
