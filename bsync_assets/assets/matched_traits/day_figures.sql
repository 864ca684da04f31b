-- Figures of each data file of the day: the sums over its slices (INB-123 to INB-133).
WITH
summed AS (
    SELECT
        file,
        sum(COLUMNS(* EXCLUDE (file)))::BIGINT
    FROM slice_figure
    GROUP BY file
)

SELECT
    CAST($day AS DATE) AS day,
    data_file.partner,
    data_file.key AS file,
    data_file.batch,
    data_file.dpid,
    data_file.target,
    summed.records_received - summed.lines_over_length - summed.lines_over_user_limit AS records_processed,
    summed.records_received - summed.lines_over_length - summed.lines_over_user_limit - summed.invalid_aam_id
        - summed.invalid_device_id - summed.opted_out - summed.no_matching_aam_id - summed.no_trait_realized
        - summed.stored_records AS format_errors,
    summed.* EXCLUDE (file)
FROM data_file
INNER JOIN summed ON summed.file = data_file.file;
