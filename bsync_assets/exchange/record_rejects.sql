-- The verdict on each record: NULL, or the first rule it breaks, in the order over length, over user limit, structure,
-- payload, ID (INB-75). Grain: one row per line. Reads `record`, `over_limit`, `flawed`, `file_id_type`, `data_file`.
WITH
joined AS (
    SELECT
        record.*,
        over_limit.rec IS NOT NULL AS is_over_limit,
        flawed.kind AS flaw,
        file_id_type.id_type AS first_id_type,
        CASE record.id_type WHEN 'idfa' THEN 'hex_upper' WHEN 'gaid' THEN 'hex_lower' ELSE data_file.form END AS form
    FROM record
    INNER JOIN data_file ON data_file.file = record.file
    LEFT JOIN over_limit ON over_limit.rec = record.rec
    LEFT JOIN flawed ON flawed.rec = record.rec
    LEFT JOIN file_id_type ON file_id_type.file = record.file
)

SELECT
    rec,
    file,
    line_no,
    namespace,
    user_id,
    id_type,
    items,
    CASE
        WHEN reject = 'line_too_long' THEN reject
        WHEN is_over_limit THEN 'over_user_limit'
        WHEN reject IS NOT NULL THEN reject
        WHEN flaw IS NOT NULL THEN flaw
        WHEN id_type <> first_id_type THEN 'mixed_id_type'
        ELSE id_problem(form, user_id)
    END AS reject
FROM joined;
