-- Sound records of the slice -> whose they are (INB-90 to INB-96). Grain: one row per record without a reject.
-- `known_id(dpid, id, is_linked, is_barred)` holds every ID with a link or an opt-out: barred means the ID itself opted out, or
-- all devices it is linked to did.
SELECT
    verdict.rec,
    CASE
        WHEN coalesce(known_id.is_barred, false) THEN 'opted_out'
        WHEN data_file.resolve = 'linked' AND NOT coalesce(known_id.is_linked, false) THEN 'no_matching_aam_id'
    END AS reject,
    data_file.resolve = 'cross_device' AND NOT coalesce(known_id.is_linked, false) AS is_unmatched
FROM verdict
INNER JOIN data_file ON data_file.file = verdict.file
LEFT JOIN known_id ON known_id.dpid = verdict.namespace AND known_id.id = verdict.user_id
WHERE verdict.reject IS NULL;
