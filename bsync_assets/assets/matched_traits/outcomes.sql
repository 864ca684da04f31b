-- Where each record of the slice ends up: `reason` is NULL for a stored record (INB-75). Grain: one row per record.
-- Of its signals (see `asked.ask`): `items` of records that count, else NULL, `used` ones, traits `added`, foreign traits `failed`;
-- `asks` = it adds or removes a trait. Reads `resolved`, `countable`, `signals`.
SELECT
    resolved.rec,
    resolved.file,
    resolved.line_no,
    signals.asks,
    coalesce(resolved.reject, CASE WHEN NOT signals.asks THEN 'no_trait_realized' END) AS reason,
    resolved.is_unmatched,
    CASE WHEN signals.counts THEN resolved.items END AS items,
    signals.used,
    signals.added,
    signals.failed
FROM resolved
INNER JOIN signals ON signals.rec = resolved.rec;
