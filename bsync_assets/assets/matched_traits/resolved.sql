-- Records of the slice -> whose they are (INB-90 to INB-96), with the context of their file. Grain: one row per record.
-- Reads `verdict`, `data_file`, `linked_id`, `barred_id`.
SELECT
    verdict.rec,
    verdict.file,
    verdict.line_no,
    verdict.namespace,
    verdict.user_id,
    verdict.items,
    data_file.context,
    verdict.reject IS NULL AS is_sound,
    CASE
        WHEN verdict.reject IS NOT NULL THEN verdict.reject
        WHEN barred_id.id IS NOT NULL THEN 'opted_out'
        WHEN data_file.resolve = 'linked' AND linked_id.id IS NULL THEN 'no_matching_aam_id'
    END AS reject,
    is_sound AND data_file.resolve = 'cross_device' AND linked_id.id IS NULL AS is_unmatched
FROM verdict
INNER JOIN data_file ON data_file.file = verdict.file
LEFT JOIN linked_id ON linked_id.dpid = verdict.namespace AND linked_id.id = verdict.user_id
LEFT JOIN barred_id ON barred_id.dpid = verdict.namespace AND barred_id.id = verdict.user_id;
