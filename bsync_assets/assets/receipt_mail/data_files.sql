-- Figures per file of one data receipt of the day $origin, as they stand at the end of $day: key of the file, then the counters
-- that are sums. Files that are held or were retracted are named, with the reason, and have none.
WITH
late AS (
    SELECT
        file_id,
        count(*) AS records
    FROM lake.main.late_matches
    WHERE origin_day = $origin AND day <= $day
    GROUP BY file_id
),

read AS (
    SELECT
        data.file AS name,
        NULL AS reject_reason,
        manifest.arrived_at,
        data.* EXCLUDE (day, partner, file, batch, dpid, target) REPLACE (
            data.stored_records + coalesce(late.records, 0) AS stored_records,
            data.no_matching_aam_id - coalesce(late.records, 0) AS no_matching_aam_id
        )
    FROM lake.main.data_figures AS data
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = data.day AND manifest.key = data.file AND manifest.batch = data.batch AND manifest.status = 'accepted'
    LEFT JOIN late ON late.file_id = manifest.file_id
    WHERE data.day = $origin
        AND data.partner = $partner
        AND data.dpid = $dpid
        AND data.target = $target
        AND data.batch = $batch
),

taken_out AS (
    SELECT
        key AS name,
        reject_reason,
        arrived_at
    FROM lake.main.inbound_files
    WHERE day = $origin
        AND partner = $partner
        AND dpid = $dpid
        AND target = $target
        AND batch = $batch
        AND status IN ('held', 'retracted')
)

FROM read
UNION ALL BY NAME
FROM taken_out
ORDER BY arrived_at, name;
