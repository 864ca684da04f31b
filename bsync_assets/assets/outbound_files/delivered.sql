-- Files of one destination whose transfer began on the days from $first to $last (UTC). Grain: one row per file, by time (OUT-130,
-- OUT-131). A control file shows the records of its delivery; records that broke their line stand with the first part.
SELECT
    coalesce(files.started_at, deliveries.frozen_at)::DATE AS sent_on,
    files.day,
    files.name,
    files.method,
    files.mode,
    files.status,
    files.part = 0 AS is_control,
    received - failed AS successful,
    CASE
        WHEN files.status <> 'delivered' THEN received
        WHEN files.part <= 1 THEN deliveries.failed
        ELSE 0
    END AS failed,
    CASE files.part
        WHEN 0 THEN deliveries.records + deliveries.failed
        WHEN 1 THEN files.records + deliveries.failed
        ELSE files.records
    END AS received,
    files.started_at,
    files.ended_at
FROM outbound_files AS files
INNER JOIN deliveries
    ON deliveries.day = files.day AND deliveries.destination = files.destination AND deliveries.ts_ms = files.ts_ms
WHERE files.destination = $destination
    AND files.method <> 'http'
    AND sent_on BETWEEN $first AND $last
ORDER BY sent_on, files.ts_ms, files.part;
