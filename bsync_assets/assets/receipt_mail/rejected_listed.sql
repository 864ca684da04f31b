-- Up to $listed of these lines of each document, the first of every file and reason before the second of any: none of them pushes
-- out the others. Reads `first_rejected`, `document_files`.
WITH
ranked AS (
    SELECT
        document_files.document,
        first_rejected.file,
        first_rejected.line_no,
        first_rejected.reason,
        first_rejected.sample,
        row_number() OVER (
            PARTITION BY document_files.document, first_rejected.file, first_rejected.reason
            ORDER BY first_rejected.line_no
        ) AS nth
    FROM first_rejected
    INNER JOIN document_files USING (partner, batch, file)
    WHERE coalesce(first_rejected.stored_on > document_files.as_of, true)
)

SELECT
    document,
    file,
    line_no,
    reason,
    sample
FROM ranked
QUALIFY row_number() OVER (PARTITION BY document ORDER BY nth, file, reason) <= $listed
ORDER BY document;
