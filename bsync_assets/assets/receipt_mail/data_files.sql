-- Figures per file of the data receipts of the day $origin, as they stand at the end of $day: key of the file, then the counters
-- that are sums (INB-137). Kept records that got their link since count as stored, as on the receipt. Files that are held or were
-- retracted are named, with the reason, and have no figures.
WITH
files AS (
    SELECT
        manifest.file_id,
        manifest.arrived_at,
        data.*,
        profile.total_removed_traits,
        profile.dropped_inactive
    FROM lake.main.data_figures AS data
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = data.day AND manifest.key = data.file AND manifest.batch = data.batch AND manifest.status = 'accepted'
    INNER JOIN lake.main.profile_figures AS profile
        ON profile.day = data.day AND profile.partner = data.partner AND profile.file = data.file AND profile.batch = data.batch
    WHERE data.day = $origin
),

late_records AS (
    SELECT
        file_id,
        line_no,
        removed,
        inactive
    FROM lake.main.late_matches
    WHERE origin_day = $origin AND day <= $day
),

late AS (
    SELECT
        file_id,
        count(*) AS records,
        sum(removed)::BIGINT AS removed,
        sum(inactive)::BIGINT AS inactive
    FROM late_records
    GROUP BY file_id
),

late_realized AS (
    SELECT
        late_records.file_id,
        count(*) AS traits
    FROM late_records
    INNER JOIN lake.main.trait_operations AS operations
        ON operations.file_id = late_records.file_id AND operations.line_no = late_records.line_no
    WHERE operations.day = $origin AND operations.operation = 'add'
    GROUP BY late_records.file_id
),

read AS (
    SELECT
        files.file AS name,
        NULL AS reject_reason,
        files.* EXCLUDE (file_id, day, file) REPLACE (
            files.stored_records + coalesce(late.records, 0) AS stored_records,
            files.no_matching_aam_id - coalesce(late.records, 0) AS no_matching_aam_id,
            files.total_realized_traits + coalesce(late_realized.traits, 0) AS total_realized_traits,
            files.total_removed_traits + coalesce(late.removed, 0) AS total_removed_traits,
            files.dropped_inactive + coalesce(late.inactive, 0) AS dropped_inactive
        )
    FROM files
    LEFT JOIN late USING (file_id)
    LEFT JOIN late_realized USING (file_id)
),

taken_out AS (
    SELECT
        key AS name,
        partner,
        dpid,
        target,
        batch,
        reject_reason,
        arrived_at
    FROM lake.main.inbound_files
    WHERE day = $origin AND family = 'data' AND status IN ('held', 'retracted')
)

FROM read
UNION ALL BY NAME
FROM taken_out
ORDER BY arrived_at, name;
