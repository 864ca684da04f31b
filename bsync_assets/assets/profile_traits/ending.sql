-- Traits that would leave without any input: time to live over (TRT-083), definition deleted (TRT-065), device inactive for
-- 120 days (TRT-085). Grain: one row per profile and trait of the day before.
WITH
idle AS (
    SELECT
        dpid,
        id
    FROM before
    WHERE dpid IN (FROM device_namespace)
    GROUP BY dpid, id
    HAVING dpid = 0 OR max(last_realized) < $alive_since
),

-- A platform ID lives by what we saw of it; a device advertising ID by inbound lines and links.
gone AS (
    SELECT
        dpid,
        id
    FROM idle
    WHERE dpid = 0 AND id NOT IN (SELECT id FROM active_platform_id)
    UNION ALL
    SELECT
        dpid,
        id
    FROM idle
    WHERE dpid <> 0
        AND NOT EXISTS (FROM profile WHERE profile.dpid = idle.dpid AND profile.id = idle.id)
        AND NOT EXISTS (
            FROM current_link AS link
            WHERE link.device_dpid = idle.dpid AND link.device_id = idle.id AND link.last_seen >= $alive_since
        )
)

SELECT
    before.*,
    CASE
        WHEN gone.id IS NOT NULL THEN 'inactive_120d'
        WHEN trait.trait_id IS NULL THEN 'trait_deleted'
        ELSE 'ttl'
    END AS reason
FROM before
LEFT JOIN gone ON gone.dpid = before.dpid AND gone.id = before.id
LEFT JOIN trait ON trait.trait_id = before.trait_id
WHERE gone.id IS NOT NULL OR trait.trait_id IS NULL OR before.expires_at <= $day::TIMESTAMP + INTERVAL 1 DAY;
