-- Rows of sync files in the normal form of a row, as JSON text. Grain: one row per line. Reads `sync_row` (see `sync_rows.sql`).
SELECT
    rec,
    file,
    line_no,
    CASE WHEN reject IS NULL THEN json_object('ids', cells) ELSE json_object('reject', reject) END AS outcome
FROM sync_row;
