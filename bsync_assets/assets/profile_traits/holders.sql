-- Whose profiles the users of today's records are (INB-90 to INB-94): themselves, or the devices they are linked to.
-- Opted-out profiles are left out (INB-96). Grain: one row per user and profile.
WITH
users AS (
    SELECT DISTINCT
        record.user_no,
        record.dpid,
        record.id,
        namespace.resolve
    FROM record
    INNER JOIN namespace ON namespace.dpid = record.dpid
),

profiles AS (
    SELECT
        user_no,
        dpid,
        id
    FROM users
    WHERE resolve <> 'linked'
    UNION ALL
    SELECT
        users.user_no,
        link.device_dpid AS dpid,
        link.device_id AS id
    FROM users
    INNER JOIN current_link AS link ON link.dpid = users.dpid AND link.id = users.id
    WHERE users.resolve = 'linked'
)

SELECT
    profiles.user_no,
    profiles.dpid,
    profiles.id,
    profiles.dpid <> 0 OR active_platform_id.id IS NOT NULL AS is_active
FROM profiles
LEFT JOIN active_platform_id ON active_platform_id.dpid = profiles.dpid AND active_platform_id.id = profiles.id
WHERE NOT EXISTS (FROM opted_out WHERE opted_out.dpid = profiles.dpid AND opted_out.id = profiles.id);
