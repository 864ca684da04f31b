-- Who used each device last: its newest link into each of the cross-device sources $sources, ties by greater ID (SEG-007).
-- A person or device that opted out is merged with nobody (PRV-027). Grain: one row per device and source.
-- Reads the view `link` and `gone`, of the day in question. `nth` orders the devices of a person, most recently linked
-- first, ties by lower ID (SEG-009).
WITH
newest AS (
    SELECT
        dpid,
        id,
        device_dpid,
        device_id,
        last_seen
    FROM link
    WHERE list_contains($sources, dpid)
    QUALIFY row_number() OVER (PARTITION BY device_dpid, device_id, dpid ORDER BY last_seen DESC, id DESC) = 1
),

willing AS (
    SELECT *
    FROM newest
    ANTI JOIN gone USING (dpid, id)
    ANTI JOIN gone AS device_gone ON device_gone.dpid = newest.device_dpid AND device_gone.id = newest.device_id
)

SELECT
    *,
    row_number() OVER (PARTITION BY dpid, id ORDER BY last_seen DESC, device_dpid, device_id) AS nth
FROM willing;
