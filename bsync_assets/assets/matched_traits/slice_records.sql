-- Records of the slice for `stored_records`: those stored, and unmatched ones whose source keeps them for a later link.
-- Reads `data_file`, `outcome`, `resolved`.
SELECT
    data_file.partner,
    data_file.file_id,
    outcome.line_no,
    resolved.namespace AS dpid,
    resolved.user_id AS id,
    outcome.reason IS NULL AS matched
FROM outcome
INNER JOIN resolved ON resolved.rec = outcome.rec
INNER JOIN data_file ON data_file.file = outcome.file
WHERE outcome.reason IS NULL
    OR (outcome.reason = 'no_matching_aam_id' AND data_file.keep_unmatched_days > 0 AND outcome.asks);
