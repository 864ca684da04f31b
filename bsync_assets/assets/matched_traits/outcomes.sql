-- Where each record of the slice ends up: `reason` is NULL for a stored record (INB-75). `asks` = it adds or removes a trait.
-- Reads `resolved`, `signals`.
SELECT
    resolved.rec,
    resolved.file,
    resolved.line_no,
    resolved.namespace,
    resolved.user_id,
    signals.asks,
    coalesce(resolved.reject, CASE WHEN NOT signals.asks THEN 'no_trait_realized' END) AS reason,
    resolved.is_unmatched
FROM resolved
INNER JOIN signals ON signals.rec = resolved.rec;
