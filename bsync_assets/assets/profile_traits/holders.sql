-- Whose profiles the users of today's records are (INB-90 to INB-94): themselves, or the devices they are linked to.
-- Opted-out profiles are left out (INB-96). Grain: one row per user and profile.
-- A platform ID is active when it was seen since $alive_since, within 120 days (INB-95); mostly the link to it says so.
-- Reads `record`, `namespace`, `current_link`, `platform_sighting`, `opted_out`.
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
        id,
        dpid <> 0 AS is_active
    FROM users
    WHERE resolve <> 'linked'
    UNION ALL
    SELECT
        users.user_no,
        link.device_dpid AS dpid,
        link.device_id AS id,
        link.device_dpid <> 0 OR link.last_seen >= $alive_since AS is_active
    FROM users
    INNER JOIN current_link AS link ON link.dpid = users.dpid AND link.id = users.id
    WHERE users.resolve = 'linked'
),

doubtful AS MATERIALIZED (
    SELECT DISTINCT id
    FROM profiles
    WHERE NOT is_active
),

seen_otherwise AS (
    SELECT id
    FROM platform_sighting
    WHERE last_at >= $alive_since AND id IN (SELECT id FROM doubtful)
)

SELECT
    user_no,
    dpid,
    id,
    is_active OR id IN (SELECT id FROM seen_otherwise) AS is_active
FROM profiles
ANTI JOIN opted_out USING (dpid, id);
