-- Which event realizes which trait: by its rule (TRT-060, TRT-061), or by naming it (INB-171, TRT-054). Grain: one row per pair.
SELECT
    signature.event,
    signature.trait_id
FROM signature
INNER JOIN fulfilled ON fulfilled.trait_id = signature.trait_id AND fulfilled.terms = signature.terms
UNION
SELECT
    named.event,
    named.trait_id
FROM (SELECT event, "only", unnest(traits) AS trait_id FROM captured) AS named
INNER JOIN rule_trait ON rule_trait.trait_id = named.trait_id
SEMI JOIN temp.id_sync_events AS taken ON taken.event = named.event AND taken.outcome = 'taken'
WHERE coalesce(named."only" = rule_trait.data_source, true);
