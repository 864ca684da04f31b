-- Lines of data files in the normal form of a line, as JSON text: what they say, or why they say nothing.
-- Grain: one row per line. Reads `verdict`, `item` (see `data_lines.parse_slice`), `data_file(file, mode)` and all tokens, `token(rec,
-- item, nth)`.
WITH
said AS (
    SELECT
        token.rec,
        list(
            CASE item.kind
                WHEN 'add' THEN json_array('add', item.trait_id)
                -- a removal in an overwrite file is read and not obeyed (INB-61, INB-62, INB-104)
                WHEN 'remove' THEN json_array(CASE WHEN data_file.mode = 'overwrite' THEN 'ignored' ELSE 'remove' END, item.trait_id)
                WHEN 'ic' THEN json_array('ic', item.value)
                WHEN 'bare' THEN json_array('bare', item.value)
                WHEN 'kv' THEN json_array('kv', item.key, item.value)
                ELSE json_array('bad', item.text)
            END
            ORDER BY token.nth
        ) AS items
    FROM token
    INNER JOIN item ON item.item = token.item
    INNER JOIN verdict ON verdict.rec = token.rec
    INNER JOIN data_file ON data_file.file = verdict.file
    WHERE verdict.reject IS NULL
    GROUP BY token.rec
)

SELECT
    verdict.rec,
    verdict.file,
    verdict.line_no,
    CASE
        WHEN verdict.reject IN ('line_too_long', 'over_user_limit') THEN json_object('excluded', verdict.reject)
        WHEN verdict.reject IN ('invalid_aam_id', 'invalid_device_id') THEN json_object('reject', verdict.reject)
        WHEN verdict.reject IS NOT NULL THEN json_object('reject', 'format_error', 'reason', verdict.reject)
        WHEN verdict.id_type IS NOT NULL
            THEN json_object('id_type', verdict.id_type, 'user_id', verdict.user_id, 'items', coalesce(said.items, []))
        ELSE json_object('user_id', verdict.user_id, 'items', coalesce(said.items, []))
    END AS outcome
FROM verdict
LEFT JOIN said ON said.rec = verdict.rec;
