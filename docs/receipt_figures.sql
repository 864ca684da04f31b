-- Every figure of every receipt of data files, counted anew over the published views. A test runs it and finds them equal.
-- Grain: day, partner, source, target, batch, revision. Records that were kept without a link count as stored on the receipts as
-- of the day on which they got one, and later.
WITH
issued AS (
    SELECT
        day,
        partner,
        dpid,
        target,
        batch,
        revision,
        as_of
    FROM receipts
    QUALIFY revision = max(revision) OVER (PARTITION BY day, partner, dpid, target, batch, as_of)
),

covered AS (
    SELECT
        issued.*,
        inbound_files.key,
        inbound_files.file_id
    FROM issued
    INNER JOIN inbound_files USING (day, partner, dpid, target, batch)
    WHERE inbound_files.status = 'accepted' AND inbound_files.family = 'data'
),

stored AS (
    SELECT
        covered.day,
        covered.revision,
        covered.file_id,
        stored_records.line_no
    FROM covered
    INNER JOIN stored_records USING (day, file_id)
    LEFT JOIN late_matches
        ON late_matches.origin_day = stored_records.day
        AND late_matches.file_id = stored_records.file_id
        AND late_matches.line_no = stored_records.line_no
    WHERE stored_records.matched OR late_matches.day <= covered.as_of
),

stored_by_file AS (
    SELECT
        day,
        revision,
        file_id,
        count(*) AS records
    FROM stored
    GROUP BY ALL
),

realized AS (
    SELECT
        stored.day,
        stored.revision,
        stored.file_id,
        count(*) AS traits
    FROM stored
    INNER JOIN trait_operations USING (day, file_id, line_no)
    WHERE trait_operations.operation = 'add'
    GROUP BY ALL
),

rejected AS (
    SELECT
        covered.day,
        covered.revision,
        covered.file_id,
        rejected_lines.reason
    FROM covered
    INNER JOIN rejected_lines
        ON rejected_lines.day = covered.day AND rejected_lines.file = covered.key AND rejected_lines.batch = covered.batch
    UNION ALL
    SELECT
        covered.day,
        covered.revision,
        covered.file_id,
        'no_matching_aam_id' AS reason
    FROM covered
    INNER JOIN late_matches ON late_matches.origin_day = covered.day AND late_matches.file_id = covered.file_id
    WHERE late_matches.day > covered.as_of
),

rejected_by_file AS (
    SELECT
        day,
        revision,
        file_id,
        count(*) AS records,
        count(*) FILTER (reason = 'line_too_long') AS over_length,
        count(*) FILTER (reason = 'over_user_limit') AS over_user_limit,
        count(*) FILTER (reason = 'invalid_aam_id') AS invalid_aam_id,
        count(*) FILTER (reason = 'invalid_device_id') AS invalid_device_id,
        count(*) FILTER (reason = 'opted_out') AS opted_out,
        count(*) FILTER (reason = 'no_matching_aam_id') AS no_matching_aam_id,
        count(*) FILTER (reason = 'no_trait_realized') AS no_trait_realized
    FROM rejected
    GROUP BY ALL
),

late AS (
    SELECT
        covered.day,
        covered.revision,
        covered.file_id,
        sum(late_matches.removed) AS removed,
        sum(late_matches.inactive) AS inactive
    FROM covered
    INNER JOIN late_matches ON late_matches.origin_day = covered.day AND late_matches.file_id = covered.file_id
    WHERE late_matches.day <= covered.as_of
    GROUP BY ALL
),

devices AS (
    SELECT
        issued.*,
        sum(device_figures.total_devices) AS total
    FROM issued
    INNER JOIN device_figures
        ON device_figures.origin_day = issued.day
        AND device_figures.partner = issued.partner
        AND device_figures.dpid = issued.dpid
        AND device_figures.target = issued.target
        AND device_figures.batch = issued.batch
    WHERE device_figures.day <= issued.as_of
    GROUP BY ALL
),

summed AS (
    SELECT
        covered.day,
        covered.partner,
        covered.dpid,
        covered.target,
        covered.batch,
        covered.revision,
        sum(coalesce(stored_by_file.records, 0) + coalesce(rejected_by_file.records, 0)) AS received,
        sum(coalesce(rejected_by_file.over_length, 0)) AS over_length,
        sum(coalesce(rejected_by_file.over_user_limit, 0)) AS over_user_limit,
        sum(coalesce(rejected_by_file.invalid_aam_id, 0)) AS invalid_aam_id,
        sum(coalesce(rejected_by_file.invalid_device_id, 0)) AS invalid_device_id,
        sum(coalesce(rejected_by_file.opted_out, 0)) AS opted_out,
        sum(coalesce(rejected_by_file.no_matching_aam_id, 0)) AS no_matching_aam_id,
        sum(coalesce(rejected_by_file.no_trait_realized, 0)) AS no_trait_realized,
        sum(coalesce(rejected_by_file.records, 0)) AS rejected,
        sum(coalesce(stored_by_file.records, 0)) AS stored,
        sum(data_figures.total_signals) AS total_signals,
        sum(data_figures.total_unused_signals) AS total_unused_signals,
        sum(coalesce(realized.traits, 0)) AS realized,
        sum(profile_figures.total_removed_traits + coalesce(late.removed, 0)) AS removed,
        sum(data_figures.traits_failed_validation) AS traits_failed_validation,
        sum(data_figures.records_with_failed_traits) AS records_with_failed_traits,
        sum(profile_figures.dropped_inactive + coalesce(late.inactive, 0)) AS dropped_inactive,
        sum(data_figures.stored_unmatched) AS stored_unmatched
    FROM covered
    LEFT JOIN stored_by_file USING (day, revision, file_id)
    LEFT JOIN realized USING (day, revision, file_id)
    LEFT JOIN rejected_by_file USING (day, revision, file_id)
    LEFT JOIN late USING (day, revision, file_id)
    INNER JOIN data_figures
        ON data_figures.day = covered.day AND data_figures.file = covered.key AND data_figures.batch = covered.batch
    INNER JOIN profile_figures
        ON profile_figures.day = covered.day AND profile_figures.file = covered.key AND profile_figures.batch = covered.batch
    GROUP BY ALL
)

SELECT
    summed.day,
    summed.partner,
    summed.dpid,
    summed.target,
    summed.batch,
    summed.revision,
    summed.received AS records_received,
    summed.rejected - summed.over_length - summed.over_user_limit - summed.invalid_aam_id - summed.invalid_device_id
    - summed.opted_out - summed.no_matching_aam_id - summed.no_trait_realized AS format_errors,
    summed.invalid_aam_id,
    summed.no_matching_aam_id,
    summed.no_trait_realized,
    summed.received - summed.over_length - summed.over_user_limit AS records_processed,
    summed.stored AS stored_records,
    coalesce(devices.total, 0) AS total_devices,
    summed.total_signals,
    summed.total_unused_signals,
    summed.realized AS total_realized_traits,
    summed.removed AS total_removed_traits,
    summed.traits_failed_validation,
    summed.records_with_failed_traits,
    summed.invalid_device_id,
    summed.opted_out,
    summed.over_length AS lines_over_length,
    summed.over_user_limit AS lines_over_user_limit,
    summed.dropped_inactive,
    summed.stored_unmatched
FROM summed
LEFT JOIN devices USING (day, partner, dpid, target, batch, revision)
ORDER BY ALL;
