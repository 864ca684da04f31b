-- Typical mistakes in the slice of a sync file. Grain: one row per mistake. Reads `line`, `sync_row` and `sync_file`.
WITH
rows AS (
    SELECT
        sync_row.line_no,
        sync_row.reject,
        sync_row.cells,
        sync_file.forms
    FROM sync_row
    INNER JOIN sync_file ON sync_file.file = sync_row.file
    WHERE sync_row.reject IS NOT NULL
),

made AS (
    SELECT
        line_no,
        unnest([
            CASE WHEN reject IN ('invalid_aam_id', 'invalid_device_id') AND forms[1] <> 'customer'
                    AND id_problem(forms[1], cells[1]) IS NOT NULL
                    AND len(list_filter(cells[2:], LAMBDA cell: id_problem(forms[1], cell) IS NULL)) > 0
                THEN 'swapped_ids' END,
            CASE WHEN reject = 'column_count' AND len(cells) = 1 AND regexp_matches(cells[1], '^[^ ,;|]+( |,|;|\||\\t)')
                THEN 'no_tab_columns' END,
            CASE WHEN reject = 'bad_hash'
                    AND len(list_filter(cells, LAMBDA cell: cell <> lower(cell) AND regexp_full_match(lower(cell), '[0-9a-f]{64}'))) > 0
                THEN 'upper_case_hash' END,
            CASE WHEN reject = 'invalid_device_id'
                    AND len(list_filter(cells, LAMBDA cell, i:
                        id_problem(forms[least(i, len(forms))], cell) = 'invalid_device_id'
                        AND (id_problem(forms[least(i, len(forms))], lower(cell)) IS NULL
                            OR id_problem(forms[least(i, len(forms))], upper(cell)) IS NULL))) > 0
                THEN 'device_id_case' END,
            CASE WHEN reject = 'invalid_aam_id'
                    AND len(list_filter(cells, LAMBDA cell: regexp_full_match(cell, '[0-9]{15,37}|[0-9]\.[0-9]+[eE]\+[0-9]+'))) > 0
                THEN 'lost_zeros' END
        ]) AS code
    FROM rows
)

SELECT
    code,
    count(*) AS lines,
    min(line_no) AS first_line
FROM made
WHERE code IS NOT NULL
GROUP BY code;
