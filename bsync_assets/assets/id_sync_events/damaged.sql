-- Lines that are no records although others follow: only the last line of a file may be cut off. Grain: one row per line.
-- Reads `record`.
WITH
placed AS (
    SELECT
        file,
        line_no,
        is_whole,
        max(line_no) OVER (PARTITION BY file) AS last_line
    FROM record
)

SELECT
    file,
    line_no
FROM placed
WHERE NOT is_whole AND line_no < last_line
ORDER BY file, line_no;
