-- Lines received but not stored. A line kept without a link leaves this list when its ID gets one.
SELECT
    rejected.day,
    rejected.partner,
    rejected.file,
    rejected.line_no,
    rejected.reason,
    rejected.sample,
    rejected.batch,
    rejected.stage
FROM stored.rejected_lines AS rejected
WHERE rejected.reason <> 'no_matching_aam_id'
    OR rejected.stage <> 'matched_traits'
    OR NOT EXISTS (
        FROM stored.late_matches AS late
        INNER JOIN stored.inbound_files AS manifest ON manifest.file_id = late.file_id AND manifest.day = late.origin_day
        WHERE late.origin_day = rejected.day
            AND late.line_no = rejected.line_no
            AND manifest.key = rejected.file
            AND manifest.batch = rejected.batch
    );
