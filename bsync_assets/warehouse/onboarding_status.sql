-- What became of every file that came in, as of the day it came in (INB-141). Grain: one row per entry of the manifest.
SELECT
    manifest.day,
    manifest.partner,
    manifest.key AS file,
    manifest.batch,
    manifest.family,
    manifest.dpid,
    manifest.target,
    manifest.status,
    manifest.reject_reason,
    coalesce(data.records_received, sync.records_received, 0) AS records_received,
    coalesce(data.records_processed, sync.records_processed, 0) AS records_processed,
    coalesce(data.stored_records, sync.stored_records, 0) AS stored_records,
    coalesce(data.format_errors, sync.format_errors, 0) AS format_errors,
    coalesce(data.invalid_aam_id, sync.invalid_aam_id, 0) AS invalid_aam_id,
    coalesce(data.invalid_device_id, sync.invalid_device_id, 0) AS invalid_device_id,
    coalesce(data.no_trait_realized, 0) AS no_trait_realized,
    coalesce(data.no_matching_aam_id, sync.no_matching_aam_id, 0) AS no_matching_aam_id,
    coalesce(data.opted_out, sync.opted_out, 0) AS opted_out,
    CASE
        WHEN coalesce(data.records_received, sync.records_received, 0) = 0 THEN 0
        ELSE round(
            100 * coalesce(data.stored_records, sync.stored_records) / coalesce(data.records_received, sync.records_received), 2
        )
    END AS percent_success,
    coalesce(data.stored_unused_signals, 0) AS total_unused_signals,
    coalesce(data.total_realized_traits, 0) AS total_realized_traits
FROM inbound_files AS manifest
LEFT JOIN data_figures AS data
    ON data.day = manifest.day
        AND data.partner = manifest.partner
        AND data.file = manifest.key
        AND data.batch = manifest.batch
        AND manifest.status = 'accepted'
LEFT JOIN id_sync_figures AS sync
    ON sync.day = manifest.day
        AND sync.partner = manifest.partner
        AND sync.file = manifest.key
        AND sync.batch = manifest.batch
        AND manifest.status = 'accepted'
