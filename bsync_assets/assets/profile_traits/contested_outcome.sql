-- Where contested profiles end up. Grain: one row per profile and trait that something happened to.
-- was_lost: the life it had before today ended today, even if another one began. Reads `event`.
WITH
last_loss AS (
    SELECT
        profile_no,
        trait_id,
        max(nth) AS nth
    FROM event
    WHERE removes AND held_before
    GROUP BY profile_no, trait_id
)

SELECT
    event.profile_no,
    event.trait_id,
    arg_max(NOT event.removes, event.nth) AS is_held,
    min(event.seen_at) FILTER (NOT event.removes AND event.nth > coalesce(last_loss.nth, 0)) AS first_seen,
    max(event.seen_at) FILTER (NOT event.removes AND event.nth > coalesce(last_loss.nth, 0)) AS last_seen,
    max(last_loss.nth) IS NOT NULL AS was_lost
FROM event
LEFT JOIN last_loss ON last_loss.profile_no = event.profile_no AND last_loss.trait_id = event.trait_id
GROUP BY event.profile_no, event.trait_id;
