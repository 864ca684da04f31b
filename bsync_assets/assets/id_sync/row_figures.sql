-- Figures of each sync file as far as its rows alone decide them; what becomes of accepted rows is added by `link_figures`.
-- Reads `rejected`, `received`, `sync_file`; $day.
WITH
rejects AS (
    SELECT
        file,
        batch,
        partner,
        count(*) FILTER (reason = 'invalid_aam_id') AS invalid_aam_id,
        count(*) FILTER (reason = 'invalid_device_id') AS invalid_device_id,
        count(*) FILTER (reason NOT IN ('invalid_aam_id', 'invalid_device_id', 'line_too_long')) AS format_errors
    FROM rejected
    GROUP BY file, batch, partner
),

totals AS (
    SELECT
        file,
        sum(lines)::BIGINT AS received,
        sum(too_long)::BIGINT AS too_long
    FROM received
    GROUP BY file
)

SELECT
    CAST($day AS DATE) AS day,
    sync_file.partner,
    sync_file.key AS file,
    sync_file.batch,
    coalesce(totals.received, 0) AS records_received,
    coalesce(totals.too_long, 0) AS lines_over_length,
    coalesce(totals.received - totals.too_long, 0) AS records_processed,
    coalesce(rejects.format_errors, 0) AS format_errors,
    coalesce(rejects.invalid_aam_id, 0) AS invalid_aam_id,
    coalesce(rejects.invalid_device_id, 0) AS invalid_device_id,
    0 AS no_matching_aam_id,
    0 AS opted_out,
    0 AS stored_records,
    0 AS new_mappings,
    0 AS refreshed_mappings,
    0 AS evicted_mappings
FROM sync_file
LEFT JOIN totals ON totals.file = sync_file.file
LEFT JOIN rejects ON rejects.file = sync_file.key AND rejects.batch = sync_file.batch AND rejects.partner = sync_file.partner;
