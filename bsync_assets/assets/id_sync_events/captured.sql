-- The day's calls, numbered by time; files of several workers are interleaved. Grain: one row per call. Reads `record`.
SELECT
    row_number() OVER (ORDER BY said."at", file, line_no) AS event,
    said.* RENAME ("at" AS called_at)
FROM record
WHERE is_whole;
