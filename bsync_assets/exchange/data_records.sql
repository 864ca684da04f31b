-- Lines of data files -> records: whose they are, and the first thing wrong with the structure (INB-50 to INB-55, INB-74).
-- Grain: one row per line. Reads `line` (see `data_lines`) and `data_file(file, format, dpid)`.
-- `reject` is a reason code or NULL; IDs are judged later (`record_rejects.sql`), since payload comes before ID (INB-75).
WITH
columns AS (
    SELECT
        line.rec,
        line.file,
        line.line_no,
        line.flaw,
        line.unbalanced,
        line.items,
        data_file.dpid,
        data_file.format = 'odc' AS is_odc,
        line.tabs - CASE WHEN is_odc THEN 1 ELSE 0 END AS tabs,
        CASE WHEN is_odc THEN lower(trim(split_part(line.head, chr(9), 1), ' ')) END AS id_type_text,
        CASE WHEN is_odc THEN split_part(line.head, chr(9), 2) ELSE line.head END AS user_text
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
        CASE WHEN contains(user_text, ' ') THEN trim(user_text, ' ') ELSE user_text END AS user_id
    FROM columns
)

SELECT
    rec,
    file,
    line_no,
    id_type,
    CASE id_type WHEN 'idfa' THEN 20915 WHEN 'gaid' THEN 20914 ELSE dpid END AS namespace,
    user_id,
    hash(user_id) AS user_hash,
    items,
    CASE
        WHEN flaw IS NOT NULL THEN flaw
        WHEN tabs < 1 THEN 'no_tab'
        WHEN tabs > 1 THEN 'extra_tab'
        WHEN user_id = '' THEN 'empty_user_id'
        WHEN is_odc AND id_type IS NULL THEN 'unknown_id_type'
        WHEN items = 0 THEN 'empty_payload'
        WHEN unbalanced THEN 'unbalanced_quote'
    END AS reject
FROM typed;
