-- Up to $listed of these lines, the first of every file and reason before the second of any: none of them pushes out the others.
-- Reads `first_rejected`; $partner, $batch, $files, $as_of.
WITH
ranked AS (
    SELECT
        file,
        line_no,
        reason,
        sample,
        row_number() OVER (PARTITION BY file, reason ORDER BY line_no) AS nth
    FROM first_rejected
    WHERE partner = $partner
        AND batch = $batch
        AND file IN (SELECT unnest($files))
        AND coalesce(stored_on > $as_of, true)
)

SELECT
    file,
    line_no,
    reason,
    sample
FROM ranked
QUALIFY row_number() OVER (ORDER BY nth, file, reason) <= $listed;
