-- Rows of the slice that break a rule, with every cell masked (PRV-055). Reads `sync_file`, `sync_row`.
SELECT
    sync_file.partner,
    sync_file.key AS file,
    sync_row.line_no,
    sync_row.reject AS reason,
    array_to_string(list_transform(sync_row.cells[1:12], LAMBDA cell: masked(left(cell, 60))), chr(9)) AS sample,
    sync_file.batch,
    'id_sync_files' AS stage
FROM sync_row
INNER JOIN sync_file ON sync_file.file = sync_row.file
WHERE sync_row.reject IS NOT NULL;
