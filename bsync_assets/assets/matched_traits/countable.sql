-- Records whose items count as signals: processed, well formed and not opted out (INB-129). `is_kept`: what they ask for is
-- stored, now or for a later link. Grain: one row per record. Reads `resolved`, `data_file`.
SELECT
    resolved.*,
    resolved.reject IS NULL OR (resolved.reject = 'no_matching_aam_id' AND data_file.keep_unmatched_days > 0) AS is_kept
FROM resolved
INNER JOIN data_file ON data_file.file = resolved.file
WHERE (resolved.is_sound AND resolved.reject IS DISTINCT FROM 'opted_out')
    OR resolved.reject IN ('invalid_aam_id', 'invalid_device_id');
