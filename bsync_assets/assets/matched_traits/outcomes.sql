-- Where each record of the slice ends up: `reason` is NULL for a stored record (INB-75).
SELECT
    verdict.rec,
    verdict.file,
    verdict.line_no,
    verdict.namespace,
    verdict.user_id,
    coalesce(
        verdict.reject,
        resolved.reject,
        CASE WHEN verdict.rec NOT IN (SELECT rec FROM operation) THEN 'no_trait_realized' END
    ) AS reason,
    resolved.is_unmatched
FROM verdict
LEFT JOIN resolved ON resolved.rec = verdict.rec;
