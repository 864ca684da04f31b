-- Records after the 200th of one user ID in one physical file (INB-36), in file order. Grain: one row per record.
-- `user_lines(file, user_hash, lines)` holds what earlier slices of a file that is read in several had, `user_now` this one's.
WITH
crowded AS (
    SELECT
        user_now.file,
        user_now.user_hash,
        coalesce(user_lines.lines, 0) AS earlier
    FROM user_now
    LEFT JOIN user_lines ON user_lines.file = user_now.file AND user_lines.user_hash = user_now.user_hash
    WHERE user_now.lines + coalesce(user_lines.lines, 0) > 200
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
WHERE nth > 200;
