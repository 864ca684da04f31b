-- The first lines of every file and reason with their samples. A join: a heap of samples would cost a hundred times as much.
-- Reads `rejected`; $day.
WITH
numbers AS (
    SELECT
        * EXCLUDE (lines, first_lines),
        unnest(first_lines) AS line_no
    FROM rejected
)

SELECT
    numbers.*,
    rejected_lines.sample
FROM numbers
INNER JOIN lake.main.rejected_lines AS rejected_lines
    ON rejected_lines.file = numbers.file
    AND rejected_lines.batch = numbers.batch
    AND rejected_lines.line_no = numbers.line_no
WHERE rejected_lines.day = $day;
