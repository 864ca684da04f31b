-- What the records of the slice ask for, for `trait_operations`; which records count: see `slice_records.sql`.
-- Reads `data_file`, `outcome`, `asked`.
SELECT
    data_file.partner,
    data_file.file_id,
    outcome.line_no,
    asked.trait_id,
    asked.effect AS operation
FROM asked
INNER JOIN outcome ON outcome.rec = asked.rec
INNER JOIN data_file ON data_file.file = outcome.file
WHERE asked.effect <> 'failed'
    AND (outcome.reason IS NULL OR (outcome.reason = 'no_matching_aam_id' AND data_file.keep_unmatched_days > 0));
