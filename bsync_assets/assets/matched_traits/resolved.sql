-- Records of the slice -> whose they are (INB-90 to INB-96), with the context of their file. Grain: one row per record.
-- `known_id(dpid, id, is_linked, is_barred)` holds every ID with a link or an opt-out: barred means the ID itself opted out, or
-- all devices it is linked to did. Reads `verdict`, `data_file`.
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
        WHEN coalesce(known_id.is_barred, false) THEN 'opted_out'
        WHEN data_file.resolve = 'linked' AND NOT coalesce(known_id.is_linked, false) THEN 'no_matching_aam_id'
    END AS reject,
    is_sound AND data_file.resolve = 'cross_device' AND NOT coalesce(known_id.is_linked, false) AS is_unmatched
FROM verdict
INNER JOIN data_file ON data_file.file = verdict.file
LEFT JOIN known_id ON known_id.dpid = verdict.namespace AND known_id.id = verdict.user_id;
