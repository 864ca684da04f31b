-- Records whose items count as signals, with the context of their file.
SELECT
    verdict.rec,
    verdict.file,
    data_file.context,
    verdict.items,
    verdict.reject IS NULL AS is_sound
FROM verdict
INNER JOIN data_file ON data_file.file = verdict.file
LEFT JOIN resolved ON resolved.rec = verdict.rec
WHERE coalesce(verdict.reject, 'sound') IN ('sound', 'invalid_aam_id', 'invalid_device_id')
    AND resolved.reject IS DISTINCT FROM 'opted_out';
