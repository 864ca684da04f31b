-- How many lines of each document's files were not stored at the end of its day `as_of`, by reason. Grain: document, file, reason.
-- Reads `rejected`, `document_files`.
SELECT
    document_files.document,
    rejected.file,
    rejected.reason,
    sum(rejected.lines)::BIGINT AS lines
FROM rejected
INNER JOIN document_files USING (partner, batch, file)
WHERE coalesce(rejected.stored_on > document_files.as_of, true)
GROUP BY document_files.document, rejected.file, rejected.reason
ORDER BY document_files.document, rejected.file, rejected.reason;
