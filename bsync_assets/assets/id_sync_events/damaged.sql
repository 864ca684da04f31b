-- Lines that are no records although others follow: only the last line of a file may be cut off.
SELECT
    file,
    line_no
FROM record
WHERE NOT is_whole
QUALIFY line_no < max(line_no) OVER (PARTITION BY file)
    OR lead(line_no) OVER (PARTITION BY file ORDER BY line_no) IS NOT NULL
ORDER BY file, line_no;
