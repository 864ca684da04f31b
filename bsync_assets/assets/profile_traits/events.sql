-- What happens to each trait of each contested profile today, in order (INB-100 to INB-107).
-- Grain: one row per profile, trait, unit, step and record (one record stands for all of an overwrite).
-- held_before: whether the profile had the trait just before; losses are removals of what was held (INB-131).
-- Reads `acting`, `contested`, `held`, `trait`; $day, $first_day: of the oldest record.
WITH
asked AS (
    SELECT
        acting.profile_no,
        operations.trait_id,
        acting.unit,
        acting.step,
        acting.is_overwrite,
        acting.rec,
        acting.seen_at,
        operations.operation = 'remove' AS removes
    FROM acting
    INNER JOIN contested ON contested.profile_no = acting.profile_no
    INNER JOIN lake.main.trait_operations AS operations
        ON operations.day = acting.origin_day
        AND operations.file_id = acting.file_id
        AND operations.line_no = acting.line_no
    WHERE operations.day BETWEEN $first_day AND $day
),

-- A kept removal is older than what was realized since: it does not touch that.
timely AS (
    SELECT asked.*
    FROM asked
    LEFT JOIN held ON held.profile_no = asked.profile_no AND held.trait_id = asked.trait_id
    WHERE NOT asked.removes OR held.last_realized IS NULL OR held.last_realized <= asked.seen_at
),

-- What a profile may lose to an overwrite: all it had or gets today.
candidates AS (
    SELECT
        profile_no,
        trait_id
    FROM held
    UNION
    SELECT
        profile_no,
        trait_id
    FROM timely
    WHERE NOT removes
),

replacements AS (
    SELECT DISTINCT
        profile_no,
        unit,
        target,
        seen_at
    FROM acting
    WHERE is_overwrite
),

-- An overwrite replaces the onboarded traits of its target only (INB-102).
cleared AS (
    SELECT
        replacements.profile_no,
        candidates.trait_id,
        replacements.unit,
        0 AS step,
        true AS is_overwrite,
        NULL::BIGINT AS rec,
        max(replacements.seen_at) AS seen_at,
        true AS removes
    FROM replacements
    INNER JOIN candidates ON candidates.profile_no = replacements.profile_no
    INNER JOIN trait ON trait.trait_id = candidates.trait_id
    ANTI JOIN timely
        ON timely.profile_no = replacements.profile_no
        AND timely.trait_id = candidates.trait_id
        AND timely.unit = replacements.unit
    WHERE trait.data_source = replacements.target AND trait.kind = 'onboarded'
    GROUP BY replacements.profile_no, candidates.trait_id, replacements.unit
),

all_events AS (
    FROM timely
    UNION ALL
    FROM cleared
)

SELECT
    all_events.*,
    row_number() OVER in_order AS nth,
    coalesce(NOT lag(all_events.removes) OVER in_order, held.trait_id IS NOT NULL) AS held_before
FROM all_events
LEFT JOIN held ON held.profile_no = all_events.profile_no AND held.trait_id = all_events.trait_id
WINDOW in_order AS (
    PARTITION BY all_events.profile_no, all_events.trait_id
    ORDER BY all_events.unit, all_events.step, all_events.rec
);
