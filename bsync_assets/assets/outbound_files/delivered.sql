-- Files of the destination $destination whose transfer began on the days from $first to $last (UTC).
-- Grain: one row per file, by time (OUT-130, OUT-131). A control file shows the records of its delivery; records that broke their
-- line stand with the first part.
WITH
files AS (
    SELECT
        coalesce(files.started_at, deliveries.frozen_at)::DATE AS sent_on,
        files.*,
        files.part = 0 AS is_control,
        CASE WHEN files.part <= 1 THEN deliveries.failed ELSE 0 END AS broken,
        CASE WHEN files.part = 0 THEN deliveries.records ELSE files.records END AS written
    FROM lake.main.outbound_files AS files
    INNER JOIN lake.main.deliveries AS deliveries
        ON deliveries.day = files.day AND deliveries.destination = files.destination AND deliveries.ts_ms = files.ts_ms
    WHERE files.destination = $destination AND files.method <> 'http'
)

SELECT
    sent_on,
    day,
    name,
    method,
    mode,
    status,
    is_control,
    written + broken AS received,
    CASE WHEN status = 'delivered' THEN written ELSE 0 END AS successful,
    broken + CASE WHEN status = 'delivered' THEN 0 ELSE written END AS failed,
    started_at,
    ended_at
FROM files
WHERE sent_on BETWEEN $first AND $last
ORDER BY sent_on, ts_ms, part;
