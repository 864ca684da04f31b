-- Up to $listed of these lines, the first of every file and reason before the second of any: none of them pushes out the others.
WITH
candidates AS (
    SELECT
        file,
        reason,
        unnest(listed) AS line
    FROM rejected
    WHERE partner = $partner
        AND batch = $batch
        AND file IN (SELECT unnest($files))
        AND coalesce(stored_on > $as_of, true)
),

ranked AS (
    SELECT
        file,
        line.line_no,
        reason,
        line.sample,
        row_number() OVER (PARTITION BY file, reason ORDER BY line.line_no) AS nth
    FROM candidates
)

SELECT
    file,
    line_no,
    reason,
    sample
FROM ranked
QUALIFY row_number() OVER (ORDER BY nth, file, reason) <= $listed;
