-- Profiles merged under `last_auth_device` (SEG-005): each device with the persons who used it last.
-- Grain: one row per unit (named by its device) and profile in it. Reads `last_auth`; $sources: those of persons.
SELECT DISTINCT
    device_dpid AS unit_dpid,
    device_id AS unit_id,
    device_dpid AS dpid,
    device_id AS id
FROM last_auth
WHERE list_contains($sources, dpid)
UNION ALL
SELECT
    device_dpid,
    device_id,
    dpid,
    id
FROM last_auth
WHERE list_contains($sources, dpid);
