-- Lines of data files -> records: columns taken apart, and the first thing wrong with the structure (INB-50 to INB-55, INB-74).
-- Grain: one row per line. Reads temp tables `line(rec, file, line_no, text, flaw)` and `data_file(file, format, form)`.
-- `reject` is a reason code or NULL; IDs are judged later (`record_outcomes.sql`), since payload comes before ID (INB-75).
WITH
columns AS (
    SELECT
        line.rec,
        line.file,
        line.line_no,
        line.flaw,
        line.text,
        data_file.format = 'odc' AS is_odc,
        string_split(line.text, chr(9)) AS part,
        len(part) - CASE WHEN is_odc THEN 1 ELSE 0 END AS columns,
        CASE WHEN is_odc THEN lower(trim(part[1], ' ')) END AS id_type_text,
        trim(CASE WHEN is_odc THEN coalesce(part[2], '') ELSE part[1] END, ' ') AS user_id,
        trim(CASE WHEN is_odc THEN coalesce(part[3], '') ELSE coalesce(part[2], '') END, ' ') AS payload
    FROM line
    INNER JOIN data_file ON data_file.file = line.file
),

typed AS (
    SELECT
        *,
        CASE
            WHEN id_type_text = 'idfa' THEN 'idfa'
            WHEN id_type_text IN ('android device id', 'android_device_id', 'android', 'gaid') THEN 'gaid'
        END AS id_type,
        contains(payload, '"') AS quoted
    FROM columns
)

SELECT
    rec,
    file,
    line_no,
    id_type,
    user_id,
    -- a comma inside quotes is data (INB-54): it travels as U+0001, which no sound line can hold
    CASE
        WHEN quoted AND NOT regexp_full_match(payload, '[^"]*("[^",]*"[^"]*)*')
            THEN array_to_string(
                list_transform(
                    string_split(payload, '"'),
                    LAMBDA piece, i: CASE WHEN i % 2 = 0 THEN replace(piece, ',', chr(1)) ELSE piece END
                ),
                '"'
            )
        ELSE payload
    END AS payload,
    CASE
        WHEN flaw IS NOT NULL THEN flaw
        WHEN columns < 2 THEN 'no_tab'
        WHEN columns > 2 THEN 'extra_tab'
        WHEN user_id = '' THEN 'empty_user_id'
        WHEN is_odc AND id_type IS NULL THEN 'unknown_id_type'
        WHEN payload = '' OR (payload[1] = ',' AND trim(payload, ' ,') = '') THEN 'empty_payload'
        WHEN quoted AND (length(payload) - length(replace(payload, '"', ''))) % 2 = 1 THEN 'unbalanced_quote'
    END AS reject
FROM typed;
