-- Records after the first $most of one user ID in one physical file (INB-36), in file order. Grain: one row per record.
-- `user_lines(file, user_hash, lines, slice)` holds this slice, the last one, and earlier ones of a file that is read in several.
-- Reads `record`.
WITH
crowded AS (
    SELECT
        file,
        user_hash,
        coalesce(sum(lines) FILTER (slice < (SELECT max(slice) FROM user_lines)), 0) AS earlier
    FROM user_lines
    GROUP BY file, user_hash
    HAVING sum(lines) > $most
),

numbered AS (
    SELECT
        record.rec,
        crowded.earlier + row_number() OVER (PARTITION BY record.file, record.user_hash ORDER BY record.rec) AS nth
    FROM record
    INNER JOIN crowded ON crowded.file = record.file AND crowded.user_hash = record.user_hash
    WHERE record.reject IS DISTINCT FROM 'line_too_long'
)

SELECT rec
FROM numbered
WHERE nth > $most;
