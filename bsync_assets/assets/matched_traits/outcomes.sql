-- Where each record of the slice ends up: `reason` is NULL for a stored record (INB-75).
WITH
by_rule AS (
    SELECT DISTINCT signature.rec
    FROM signature
    INNER JOIN fulfilled ON fulfilled.trait_id = signature.trait_id AND fulfilled.terms = signature.terms
)

SELECT
    verdict.rec,
    verdict.file,
    verdict.line_no,
    verdict.namespace,
    verdict.user_id,
    coalesce(
        verdict.reject,
        resolved.reject,
        CASE WHEN NOT signals.asks AND by_rule.rec IS NULL THEN 'no_trait_realized' END
    ) AS reason,
    resolved.is_unmatched
FROM verdict
INNER JOIN signals ON signals.rec = verdict.rec
LEFT JOIN resolved ON resolved.rec = verdict.rec
LEFT JOIN by_rule ON by_rule.rec = verdict.rec;
