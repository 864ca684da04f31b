-- The rejected lines of the day, summed up: per file and reason their number and the numbers of the first. Records kept without a link
-- stand apart by the day on which they were stored after all. Grain: file, batch, reason, stored_on.
-- $day, $listed: how many of a file and reason may be shown.
WITH
late AS (
    SELECT
        manifest.key AS file,
        manifest.batch,
        late_matches.line_no,
        'no_matching_aam_id' AS reason,
        'matched_traits' AS stage,
        late_matches.day AS stored_on
    FROM lake.main.late_matches AS late_matches
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.file_id = late_matches.file_id
        AND manifest.day = late_matches.origin_day
        AND manifest.status = 'accepted'
    WHERE late_matches.origin_day = $day
)

SELECT
    partner,
    file,
    batch,
    reason,
    NULL::DATE AS stored_on,
    count(*) AS lines,
    min(line_no, $listed) AS first_lines
FROM lake.main.rejected_lines
ANTI JOIN late USING (file, batch, line_no, reason, stage)
WHERE day = $day
GROUP BY partner, file, batch, reason
UNION ALL
SELECT
    lines.partner,
    lines.file,
    lines.batch,
    lines.reason,
    late.stored_on,
    count(*) AS lines,
    min(lines.line_no, $listed) AS first_lines
FROM lake.main.rejected_lines AS lines
INNER JOIN late USING (file, batch, line_no, reason, stage)
WHERE lines.day = $day
GROUP BY lines.partner, lines.file, lines.batch, lines.reason, late.stored_on;
