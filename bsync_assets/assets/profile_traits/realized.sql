-- What today's records and visits lead to. Grain: one row per profile and trait.
-- A trait of a deleted definition is realized by nothing; a trait whose life would be over already is not begun (TRT-083).
-- Reads `plain_realized`, `contested_outcome`, `profile`, `trait`, `held`; $day.
WITH
together AS (
    SELECT
        profile_no,
        trait_id,
        true AS is_held,
        first_seen,
        last_seen,
        false AS was_lost
    FROM plain_realized
    UNION ALL
    FROM contested_outcome
    UNION ALL
    SELECT
        profile.profile_no,
        visits.trait_id,
        true AS is_held,
        visits.first_at AS first_seen,
        visits.last_at AS last_seen,
        false AS was_lost
    FROM lake.main.event_traits AS visits
    INNER JOIN profile ON profile.dpid = visits.dpid AND profile.id = visits.id
    WHERE visits.day = $day
)

SELECT
    together.profile_no,
    together.trait_id,
    trait.data_source,
    held.trait_id IS NOT NULL AS was_held,
    together.is_held,
    CASE WHEN together.was_lost THEN together.first_seen ELSE coalesce(held.first_realized, together.first_seen) END
        AS first_realized,
    CASE WHEN together.was_lost THEN together.last_seen ELSE greatest(held.last_realized, together.last_seen) END
        AS last_realized,
    held.last_realized AS last_before,
    expires_at(
        CASE WHEN together.was_lost THEN together.last_seen ELSE greatest(held.last_realized, together.last_seen) END,
        trait.ttl_days
    ) AS expires_at
FROM together
INNER JOIN trait ON trait.trait_id = together.trait_id
LEFT JOIN held ON held.profile_no = together.profile_no AND held.trait_id = together.trait_id;
