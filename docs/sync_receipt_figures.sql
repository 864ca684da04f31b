-- Every figure of every ID-sync receipt, counted anew over the published views. A test runs it and finds them equal.
-- Grain: day, file, batch, revision; the latest revision counts.
WITH
issued AS (
    SELECT
        day,
        partner,
        file,
        batch,
        revision
    FROM id_sync_receipts
    QUALIFY revision = max(revision) OVER (PARTITION BY day, file, batch)
),

well_formed AS (
    SELECT
        day,
        file,
        batch,
        count(DISTINCT line_no) AS records
    FROM id_sync_pairs
    GROUP BY day, file, batch
),

rejected AS (
    SELECT
        day,
        file,
        batch,
        count(*) FILTER (stage = 'id_sync_files') AS broken,
        count(*) FILTER (stage <> 'id_sync_files') AS leading_nowhere,
        count(*) FILTER (reason = 'line_too_long') AS over_length,
        count(*) FILTER (reason = 'invalid_aam_id') AS invalid_aam_id,
        count(*) FILTER (reason = 'invalid_device_id') AS invalid_device_id,
        count(*) FILTER (reason = 'no_matching_aam_id') AS no_matching_aam_id,
        count(*) FILTER (reason = 'opted_out') AS opted_out
    FROM rejected_lines
    GROUP BY day, file, batch
),

counted AS (
    SELECT
        issued.day,
        issued.partner,
        issued.file,
        issued.batch,
        issued.revision,
        coalesce(well_formed.records, 0) AS well_formed,
        coalesce(rejected.broken, 0) AS broken,
        coalesce(rejected.leading_nowhere, 0) AS leading_nowhere,
        coalesce(rejected.over_length, 0) AS over_length,
        coalesce(rejected.invalid_aam_id, 0) AS invalid_aam_id,
        coalesce(rejected.invalid_device_id, 0) AS invalid_device_id,
        coalesce(rejected.no_matching_aam_id, 0) AS no_matching_aam_id,
        coalesce(rejected.opted_out, 0) AS opted_out
    FROM issued
    LEFT JOIN well_formed USING (day, file, batch)
    LEFT JOIN rejected USING (day, file, batch)
)

SELECT
    counted.day,
    counted.partner,
    counted.file,
    counted.batch,
    counted.revision,
    counted.well_formed + counted.broken AS records_received,
    counted.over_length AS lines_over_length,
    counted.well_formed + counted.broken - counted.over_length AS records_processed,
    counted.broken - counted.over_length - counted.invalid_aam_id - counted.invalid_device_id AS format_errors,
    counted.invalid_aam_id,
    counted.invalid_device_id,
    counted.no_matching_aam_id,
    counted.opted_out,
    counted.well_formed - counted.leading_nowhere AS stored_records,
    id_sync_figures.new_mappings,
    id_sync_figures.refreshed_mappings,
    id_sync_figures.evicted_mappings
FROM counted
INNER JOIN id_sync_figures USING (day, partner, file, batch)
ORDER BY ALL;
