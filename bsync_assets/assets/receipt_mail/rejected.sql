-- The rejected lines of the day, summed up: per file and reason their number and the first of them. Records kept without a link
-- stand apart by the day on which they were stored after all. Grain: file, batch, reason, stored_on.
WITH
late AS (
    SELECT
        manifest.key AS file,
        manifest.batch,
        late_matches.line_no,
        late_matches.day AS stored_on
    FROM lake.main.late_matches AS late_matches
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.file_id = late_matches.file_id
        AND manifest.day = late_matches.origin_day
        AND manifest.status = 'accepted'
    WHERE late_matches.origin_day = $day
)

SELECT
    lines.partner,
    lines.file,
    lines.batch,
    lines.reason,
    late.stored_on,
    count(*) AS lines,
    arg_min({'line_no': lines.line_no, 'sample': lines.sample}, lines.line_no, $listed) AS listed
FROM lake.main.rejected_lines AS lines
LEFT JOIN late
    ON late.file = lines.file
    AND late.batch = lines.batch
    AND late.line_no = lines.line_no
    AND lines.reason = 'no_matching_aam_id'
    AND lines.stage = 'matched_traits'
WHERE lines.day = $day
GROUP BY lines.partner, lines.file, lines.batch, lines.reason, late.stored_on;
