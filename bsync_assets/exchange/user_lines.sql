-- Lines of each user ID in the slice, per file: any line counts, good or bad, but for those over length (INB-36).
-- Grain: one row per file and user. `slice` tells the slices of a file apart. Reads `user_lines`, `record`.
SELECT
    file,
    user_hash,
    count(*) AS lines,
    (SELECT coalesce(max(slice), 0) + 1 FROM user_lines) AS slice
FROM record
WHERE reject IS DISTINCT FROM 'line_too_long'
GROUP BY file, user_hash;
