-- Traits that would leave without any input: time to live over (TRT-083), definition deleted (TRT-065), device inactive for
-- 120 days (TRT-085). Grain: one row per profile and trait of the day before.
-- Reads `platform_sighting`, `before`, `device_namespace`, `profile`, `current_link`, `trait`; $day; not seen
-- since $alive_since: inactive.
WITH
-- A platform ID lives by what we saw of it. One with traits was seen once: gone are those whose sightings are all old.
old_platform_id AS MATERIALIZED (
    SELECT DISTINCT id
    FROM platform_sighting
    WHERE last_at < $alive_since
),

-- A device advertising ID lives by inbound lines and links.
idle_device AS MATERIALIZED (
    SELECT
        dpid,
        id
    FROM before
    WHERE dpid <> 0 AND dpid IN (FROM device_namespace)
    GROUP BY dpid, id
    HAVING max(last_realized) < $alive_since
),

gone AS (
    SELECT
        0 AS dpid,
        id
    FROM old_platform_id
    ANTI JOIN (FROM platform_sighting SEMI JOIN old_platform_id USING (id) WHERE last_at >= $alive_since) AS newer USING (id)
    UNION ALL
    SELECT
        dpid,
        id
    FROM idle_device
    ANTI JOIN profile ON profile.dpid = idle_device.dpid AND profile.id = idle_device.id
    ANTI JOIN (
        FROM current_link WHERE last_seen >= $alive_since AND (device_dpid, device_id) IN (SELECT (dpid, id) FROM idle_device)
    ) AS link ON link.device_dpid = idle_device.dpid AND link.device_id = idle_device.id
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
