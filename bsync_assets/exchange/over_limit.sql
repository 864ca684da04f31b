-- Records after the 200th of one user ID in one physical file (INB-36): any line of the user counts, good or bad, in file
-- order; lines over length were left out before. `user_lines(file, user_hash, lines)` holds what earlier slices of a file
-- that is read in several had.
WITH
counted AS (
    SELECT
        rec,
        file,
        hash(user_id) AS user_hash
    FROM record
    WHERE reject IS DISTINCT FROM 'line_too_long'
),

totals AS (
    SELECT
        file,
        user_hash,
        count(*) AS lines
    FROM counted
    GROUP BY file, user_hash
),

crowded AS (
    SELECT
        totals.file,
        totals.user_hash,
        coalesce(user_lines.lines, 0) AS earlier
    FROM totals
    LEFT JOIN user_lines ON user_lines.file = totals.file AND user_lines.user_hash = totals.user_hash
    WHERE totals.lines + coalesce(user_lines.lines, 0) > 200
),

numbered AS (
    SELECT
        counted.rec,
        crowded.earlier + row_number() OVER (PARTITION BY counted.file, counted.user_hash ORDER BY counted.rec) AS nth
    FROM counted
    INNER JOIN crowded ON crowded.file = counted.file AND crowded.user_hash = counted.user_hash
)

SELECT rec
FROM numbered
WHERE nth > 200;
