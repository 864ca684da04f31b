-- Figures of every data receipt of the day $origin, as they stand at the end of $day (INB-121 to INB-137).
-- Grain: partner, source, target, batch. Kept records that got their link since count as stored, and no longer as unmatched.
WITH
files AS (
    SELECT
        data.partner,
        data.dpid,
        data.target,
        data.batch,
        count(*) AS files,
        sum(COLUMNS(data.* EXCLUDE (day, partner, file, batch, dpid, target)))::BIGINT,
        sum(profile.total_removed_traits)::BIGINT AS total_removed_traits,
        sum(profile.dropped_inactive)::BIGINT AS dropped_inactive
    FROM lake.main.data_figures AS data
    INNER JOIN lake.main.profile_figures AS profile
        ON profile.day = data.day AND profile.partner = data.partner AND profile.file = data.file AND profile.batch = data.batch
    WHERE data.day = $origin
    GROUP BY data.partner, data.dpid, data.target, data.batch
),

late_records AS (
    SELECT
        late.file_id,
        late.line_no,
        late.removed,
        late.inactive,
        manifest.partner,
        manifest.dpid,
        manifest.target,
        manifest.batch
    FROM lake.main.late_matches AS late
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = late.origin_day AND manifest.file_id = late.file_id AND manifest.status = 'accepted'
    WHERE late.origin_day = $origin AND late.day <= $day
),

late_realized AS (
    SELECT
        late_records.partner,
        late_records.dpid,
        late_records.target,
        late_records.batch,
        count(*) AS traits
    FROM late_records
    INNER JOIN lake.main.trait_operations AS operations
        ON operations.file_id = late_records.file_id AND operations.line_no = late_records.line_no
    WHERE operations.day = $origin AND operations.operation = 'add'
    GROUP BY ALL
),

late AS (
    SELECT
        partner,
        dpid,
        target,
        batch,
        count(*) AS records,
        sum(removed)::BIGINT AS removed,
        sum(inactive)::BIGINT AS inactive
    FROM late_records
    GROUP BY partner, dpid, target, batch
),

devices AS (
    SELECT
        partner,
        dpid,
        target,
        batch,
        sum(total_devices)::BIGINT AS total_devices
    FROM lake.main.device_figures
    WHERE origin_day = $origin AND day <= $day
    GROUP BY partner, dpid, target, batch
)

SELECT
    files.* REPLACE (
        files.stored_records + coalesce(late.records, 0) AS stored_records,
        files.no_matching_aam_id - coalesce(late.records, 0) AS no_matching_aam_id,
        files.total_realized_traits + coalesce(late_realized.traits, 0) AS total_realized_traits,
        files.total_removed_traits + coalesce(late.removed, 0) AS total_removed_traits,
        files.dropped_inactive + coalesce(late.inactive, 0) AS dropped_inactive
    ),
    coalesce(devices.total_devices, 0) AS total_devices,
    coalesce(late.records, 0) AS late_records
FROM files
LEFT JOIN late USING (partner, dpid, target, batch)
LEFT JOIN late_realized USING (partner, dpid, target, batch)
LEFT JOIN devices USING (partner, dpid, target, batch)
ORDER BY files.partner, files.dpid, files.target, files.batch;
