-- Figures of the slice per file; slices of one file add up. Reads `outcome`, `line_reason`, `countable`, `signals`, `asked`.
WITH
lines AS (
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
        count(*) FILTER (outcome.reason IS NULL AND outcome.is_unmatched) AS stored_unmatched
    FROM outcome
    LEFT JOIN line_reason ON line_reason.code = outcome.reason
    GROUP BY outcome.file
),

counted AS (
    SELECT
        countable.file,
        sum(countable.items)::BIGINT AS total_signals,
        sum(countable.items - signals.used)::BIGINT AS total_unused_signals,
        coalesce(sum(countable.items - signals.used) FILTER (outcome.reason IS NULL), 0)::BIGINT AS stored_unused_signals
    FROM countable
    INNER JOIN signals ON signals.rec = countable.rec
    INNER JOIN outcome ON outcome.rec = countable.rec
    GROUP BY countable.file
),

failed AS (
    SELECT
        countable.file,
        count(*) AS traits_failed_validation,
        count(DISTINCT asked.rec) AS records_with_failed_traits
    FROM asked
    INNER JOIN countable ON countable.rec = asked.rec
    WHERE asked.effect = 'failed'
    GROUP BY countable.file
),

realized AS (
    SELECT
        outcome.file,
        count(*) AS total_realized_traits
    FROM asked
    INNER JOIN outcome ON outcome.rec = asked.rec
    WHERE outcome.reason IS NULL AND asked.effect = 'add'
    GROUP BY outcome.file
)

SELECT
    lines.*,
    coalesce(counted.total_signals, 0) AS total_signals,
    coalesce(counted.total_unused_signals, 0) AS total_unused_signals,
    coalesce(counted.stored_unused_signals, 0) AS stored_unused_signals,
    coalesce(realized.total_realized_traits, 0) AS total_realized_traits,
    coalesce(failed.traits_failed_validation, 0) AS traits_failed_validation,
    coalesce(failed.records_with_failed_traits, 0) AS records_with_failed_traits
FROM lines
LEFT JOIN counted ON counted.file = lines.file
LEFT JOIN failed ON failed.file = lines.file
LEFT JOIN realized ON realized.file = lines.file;
