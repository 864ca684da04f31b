-- Rows of ID-sync files -> the cells, and the first rule a row breaks (IDS-45 to IDS-59).
-- Grain: one row per line. Reads temp tables `line(rec, file, line_no, text, flaw)` and
-- `sync_file(file, format, columns, forms)`: `forms` holds the ID form of each column, master first; in c2c files the last
-- one counts for all further columns (IDS-56).
WITH
split AS (
    SELECT
        line.rec,
        line.file,
        line.line_no,
        line.text,
        line.flaw,
        sync_file.format,
        sync_file.columns,
        sync_file.forms,
        string_split(line.text, chr(9)) AS cells
    FROM line
    INNER JOIN sync_file ON sync_file.file = line.file
),

structure AS (
    SELECT
        *,
        CASE
            WHEN flaw IN ('line_too_long', 'bad_encoding') THEN flaw
            WHEN regexp_matches(text, '[\t ]$') THEN 'trailing_whitespace'
            WHEN flaw IS NOT NULL THEN flaw
            WHEN format = 'c2c_id' AND len(cells) > 11 THEN 'too_many_emails'
            WHEN format = 'c2c_id' AND len(cells) < 2 THEN 'column_count'
            WHEN format <> 'c2c_id' AND len(cells) <> columns THEN 'column_count'
            WHEN list_contains(cells, '') THEN 'empty_id'
            WHEN len(list_filter(cells, LAMBDA cell: cell <> trim(cell, ' '))) > 0 THEN 'whitespace_in_id'
        END AS reject
    FROM split
)

SELECT
    rec,
    file,
    line_no,
    cells,
    CASE
        WHEN reject IS NOT NULL THEN reject
        ELSE list_filter(
            list_transform(cells, LAMBDA cell, i: sync_id_problem(forms[least(i, len(forms))], cell)),
            LAMBDA problem: problem IS NOT NULL
        )[1]
    END AS reject
FROM structure;
