-- Figures of the slice per file; slices of one file add up. Grain: one row per file. Reads `outcome`, `line_reason`.
SELECT
    outcome.file,
    count(*) AS records_received,
    count(*) FILTER (line_reason.counter = 'lines_over_length') AS lines_over_length,
    count(*) FILTER (line_reason.counter = 'lines_over_user_limit') AS lines_over_user_limit,
    records_received - lines_over_length - lines_over_user_limit AS records_processed,
    count(*) FILTER (line_reason.counter = 'format_errors') AS format_errors,
    count(*) FILTER (line_reason.counter = 'invalid_aam_id') AS invalid_aam_id,
    count(*) FILTER (line_reason.counter = 'invalid_device_id') AS invalid_device_id,
    count(*) FILTER (line_reason.counter = 'opted_out') AS opted_out,
    count(*) FILTER (line_reason.counter = 'no_matching_aam_id') AS no_matching_aam_id,
    count(*) FILTER (line_reason.counter = 'no_trait_realized') AS no_trait_realized,
    count(*) FILTER (outcome.reason IS NULL) AS stored_records,
    count(*) FILTER (outcome.reason IS NULL AND outcome.is_unmatched) AS stored_unmatched,
    coalesce(sum(outcome.items), 0)::BIGINT AS total_signals,
    coalesce(sum(outcome.items - outcome.used), 0)::BIGINT AS total_unused_signals,
    coalesce(sum(outcome.items - outcome.used) FILTER (outcome.reason IS NULL), 0)::BIGINT AS stored_unused_signals,
    coalesce(sum(outcome.added) FILTER (outcome.reason IS NULL), 0)::BIGINT AS total_realized_traits,
    sum(outcome.failed)::BIGINT AS traits_failed_validation,
    count(*) FILTER (outcome.failed > 0) AS records_with_failed_traits
FROM outcome
LEFT JOIN line_reason ON line_reason.code = outcome.reason
GROUP BY outcome.file;
