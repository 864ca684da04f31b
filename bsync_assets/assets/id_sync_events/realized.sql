-- Which shape realizes which trait: by its rule (TRT-060, TRT-061), or by naming it (INB-171, TRT-054). Grain: one row per pair.
-- Reads `signature`, `fulfilled`, `event_shape`, `rule_trait`.
SELECT
    signature.shape,
    signature.trait_id
FROM signature
INNER JOIN fulfilled ON fulfilled.trait_id = signature.trait_id AND fulfilled.terms = signature.terms
UNION
SELECT
    named.shape,
    named.trait_id
FROM (SELECT DISTINCT shape, "only", unnest(traits) AS trait_id FROM event_shape) AS named
INNER JOIN rule_trait ON rule_trait.trait_id = named.trait_id
WHERE coalesce(named."only" = rule_trait.data_source, true);
