-- The day's change set of `profile_traits`. Reads `profile`, `realized`, `ended`; $day.
WITH
by_input AS (
    SELECT
        profile.dpid,
        profile.id,
        realized.trait_id,
        realized.data_source,
        realized.first_realized,
        realized.last_realized,
        realized.expires_at,
        realized.is_held AND coalesce(realized.expires_at > $day::TIMESTAMP + INTERVAL 1 DAY, true) AS is_held,
        realized.is_held AS was_realized,
        realized.was_held,
        realized.last_before
    FROM realized
    INNER JOIN profile ON profile.profile_no = realized.profile_no
)

SELECT
    dpid,
    id,
    trait_id,
    data_source,
    first_realized,
    last_realized,
    expires_at,
    CASE WHEN NOT is_held THEN 'removed' WHEN was_held THEN 'renewed' ELSE 'added' END AS change,
    CASE WHEN NOT was_realized THEN 'unsegmented_by_file' WHEN NOT is_held THEN 'ttl' END AS reason
FROM by_input
WHERE CASE WHEN NOT is_held THEN was_held WHEN was_held THEN last_realized <> last_before ELSE true END
UNION ALL BY NAME
SELECT
    dpid,
    id,
    trait_id,
    data_source,
    first_realized,
    last_realized,
    expires_at,
    'removed' AS change,
    reason
FROM ended;
