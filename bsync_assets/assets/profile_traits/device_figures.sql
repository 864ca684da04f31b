-- Distinct devices of each group of files that share a receipt (INB-133).
SELECT
    $day::DATE AS day,
    day_file.partner,
    day_file.source AS dpid,
    day_file.target,
    day_file.batch,
    count(DISTINCT (acting.profile_no)) AS total_devices
FROM acting
INNER JOIN day_file ON day_file.file_id = acting.file_id AND acting.origin_day = $day
INNER JOIN profile ON profile.profile_no = acting.profile_no
WHERE profile.dpid IN (FROM device_namespace)
GROUP BY day_file.partner, day_file.source, day_file.target, day_file.batch;
