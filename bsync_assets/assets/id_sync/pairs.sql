-- Accepted rows of the slice -> one row per ID of a further column (IDS-60); in c2c files every further column belongs to
-- the second data source (IDS-56). Reads `sync_file`, `sync_row`.
SELECT
    sync_file.partner,
    sync_file.key AS file,
    sync_file.batch,
    sync_file.file AS file_no,
    sync_row.line_no,
    further.col,
    sync_file.format,
    sync_file.dpids[1] AS master_dpid,
    sync_row.cells[1] AS master_id,
    sync_file.dpids[least(further.col + 1, len(sync_file.dpids))] AS dpid,
    sync_row.cells[further.col + 1] AS id,
    sync_file.seen_at
FROM sync_row
INNER JOIN sync_file ON sync_file.file = sync_row.file
CROSS JOIN unnest(range(1, len(sync_row.cells))) AS further (col)
WHERE sync_row.reject IS NULL;
