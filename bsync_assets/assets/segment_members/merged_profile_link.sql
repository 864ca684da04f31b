-- Profiles merged under `profile_link` (SEG-005, SEG-009): each person with the devices they used last, $most_devices at most.
-- Grain: one row per unit (named by its person) and profile in it. A device beyond the limit is in no unit: unit NULL.
-- Reads `last_auth`; $sources: those of persons.
SELECT DISTINCT
    dpid AS unit_dpid,
    id AS unit_id,
    dpid,
    id
FROM last_auth
WHERE list_contains($sources, dpid)
UNION ALL
SELECT
    CASE WHEN nth <= $most_devices THEN dpid END,
    CASE WHEN nth <= $most_devices THEN id END,
    device_dpid,
    device_id
FROM last_auth
WHERE list_contains($sources, dpid);
