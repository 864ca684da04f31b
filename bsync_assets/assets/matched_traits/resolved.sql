-- Records of the slice -> whose they are (INB-90 to INB-96), with the context of their file. Grain: one row per record.
-- Reads `record`, `verdict`, `data_file`, `linked(rec)`, `barred_id`.
WITH
barred AS (
    SELECT record.rec
    FROM record
    SEMI JOIN barred_id ON barred_id.dpid = record.namespace AND barred_id.id = record.user_id
)

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
        WHEN barred.rec IS NOT NULL THEN 'opted_out'
        WHEN data_file.resolve = 'linked' AND linked.rec IS NULL THEN 'no_matching_aam_id'
    END AS reject,
    is_sound AND data_file.resolve = 'cross_device' AND linked.rec IS NULL AS is_unmatched
FROM verdict
INNER JOIN data_file ON data_file.file = verdict.file
LEFT JOIN linked ON linked.rec = verdict.rec
LEFT JOIN barred ON barred.rec = verdict.rec;
