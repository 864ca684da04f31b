-- Distinct devices that each receipt has to count: of the day's files, and of kept records of earlier days, as far as that
-- day's receipt did not count them already (INB-133).
-- Reads `day_file`, `acting`, `profile`, `device_namespace`, `record`, `current_link`; $day.
WITH
own AS (
    SELECT
        day_file.partner,
        day_file.source AS dpid,
        day_file.target,
        day_file.batch,
        count(DISTINCT acting.profile_no) AS total_devices
    FROM acting
    INNER JOIN day_file ON day_file.file_id = acting.file_id
    INNER JOIN profile ON profile.profile_no = acting.profile_no
    WHERE acting.origin_day = $day AND profile.dpid IN (FROM device_namespace)
    GROUP BY day_file.partner, day_file.source, day_file.target, day_file.batch
),

reached AS (
    SELECT DISTINCT
        acting.origin_day,
        manifest.partner,
        manifest.dpid,
        manifest.target,
        manifest.batch,
        record.dpid AS user_dpid,
        profile.dpid AS device_dpid,
        profile.id AS device_id
    FROM acting
    INNER JOIN record ON record.rec = acting.rec
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = acting.origin_day AND manifest.file_id = acting.file_id AND manifest.status = 'accepted'
    INNER JOIN profile ON profile.profile_no = acting.profile_no
    WHERE acting.origin_day < $day AND profile.dpid IN (FROM device_namespace)
),

counted_before AS (
    SELECT DISTINCT
        reached.origin_day,
        reached.partner,
        reached.dpid,
        reached.target,
        reached.batch,
        reached.device_dpid,
        reached.device_id
    FROM reached
    INNER JOIN current_link AS link
        ON link.device_dpid = reached.device_dpid AND link.device_id = reached.device_id AND link.dpid = reached.user_dpid
    INNER JOIN lake.main.stored_records AS stored
        ON stored.day = reached.origin_day AND stored.dpid = link.dpid AND stored.id = link.id
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = stored.day
        AND manifest.file_id = stored.file_id
        AND manifest.partner = reached.partner
        AND manifest.dpid = reached.dpid
        AND manifest.target = reached.target
        AND manifest.batch = reached.batch
    LEFT JOIN lake.main.late_matches AS late
        ON late.day < $day AND late.file_id = stored.file_id AND late.line_no = stored.line_no
    WHERE (stored.matched AND link.first_seen < stored.day + INTERVAL 1 DAY) OR late.line_no IS NOT NULL
)

SELECT
    $day::DATE AS day,
    partner,
    $day::DATE AS origin_day,
    dpid,
    target,
    batch,
    total_devices
FROM own
UNION ALL
SELECT
    $day::DATE AS day,
    partner,
    origin_day,
    dpid,
    target,
    batch,
    count(*) AS total_devices
FROM (
    SELECT DISTINCT * EXCLUDE (user_dpid)
    FROM reached
    ANTI JOIN counted_before USING (origin_day, partner, dpid, target, batch, device_dpid, device_id)
) AS new_devices
GROUP BY partner, origin_day, dpid, target, batch;
