-- Rows of the slice for `trait_operations`: stored records, and unmatched ones whose source keeps them for a later link.
SELECT
    data_file.partner,
    data_file.key AS file,
    data_file.batch,
    data_file.file AS file_no,
    outcome.line_no,
    outcome.namespace AS dpid,
    outcome.user_id AS id,
    data_file.target,
    operation.trait_id,
    operation.operation,
    data_file.overwrite,
    outcome.reason IS NULL AS matched
FROM operation
INNER JOIN outcome ON outcome.rec = operation.rec
INNER JOIN data_file ON data_file.file = outcome.file
WHERE outcome.reason IS NULL OR (outcome.reason = 'no_matching_aam_id' AND data_file.keep_unmatched_days > 0);
