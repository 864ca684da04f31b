-- The counters of one day's receipts, named as the compared scripts name them.
SELECT
    sum(records_received) AS received,
    sum(records_processed) AS processed,
    sum(format_errors) AS format_errors,
    sum(no_matching_aam_id) AS no_match,
    sum(no_trait_realized) AS no_trait,
    sum(stored_records) AS stored,
    sum(total_signals) AS signals,
    sum(total_unused_signals) AS unused,
    sum(total_realized_traits) AS realized
FROM receipts
WHERE day = $day::DATE;
