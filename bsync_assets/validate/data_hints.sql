-- Typical mistakes in the slice of a data file. Grain: one row per mistake. Reads `line`, `verdict` and `data_file`.
WITH
sides AS (
    SELECT
        line.line_no,
        line.text,
        verdict.reject,
        data_file.form,
        data_file.format = 'odc' AS is_odc,
        coalesce(verdict.user_id, '') AS user_id,
        strpos(line.text, chr(9)) AS tab
    FROM line
    INNER JOIN verdict ON verdict.rec = line.rec
    INNER JOIN data_file ON data_file.file = line.file
    WHERE line.flaw IS NULL
),

made AS (
    SELECT
        line_no,
        unnest([
            CASE WHEN contains(text, '“') OR contains(text, '”') OR contains(text, '„') THEN 'smart_quotes' END,
            CASE WHEN contains(text, '==') THEN 'double_equals' END,
            CASE WHEN NOT is_odc AND tab > 0 AND contains(text[1:tab], '=') AND NOT contains(text[tab:], '=')
                THEN 'swapped_columns' END,
            CASE WHEN reject = 'no_tab' AND regexp_matches(text, '^[^ ,;|]+( |,|;|\||\\t)') THEN 'space_for_tab' END,
            CASE WHEN contains(text, ';') AND regexp_matches(text, '=[^,;"]*;[^,;="]+=') THEN 'semicolons' END,
            CASE WHEN reject = 'bad_hash' AND regexp_full_match(lower(user_id), '[0-9a-f]{64}') THEN 'upper_case_hash' END,
            CASE WHEN reject = 'invalid_device_id'
                    AND (id_problem(form, lower(user_id)) IS NULL OR id_problem(form, upper(user_id)) IS NULL)
                THEN 'device_id_case' END,
            CASE WHEN reject = 'invalid_aam_id' AND regexp_full_match(user_id, '[0-9]{15,37}|[0-9]\.[0-9]+[eE]\+[0-9]+')
                THEN 'lost_zeros' END
        ]) AS code
    FROM sides
)

SELECT
    code,
    count(*) AS lines,
    min(line_no) AS first_line
FROM made
WHERE code IS NOT NULL
GROUP BY code;
