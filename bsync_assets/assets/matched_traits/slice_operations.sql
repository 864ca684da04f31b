-- What the records of the slice ask for, for `trait_operations`; which records are kept: see `countable.sql`.
-- Reads `operation(file, line_no, trait_id, operation)`, `data_file`.
SELECT
    data_file.partner,
    data_file.file_id,
    operation.line_no,
    operation.trait_id,
    operation.operation
FROM operation
INNER JOIN data_file ON data_file.file = operation.file;
