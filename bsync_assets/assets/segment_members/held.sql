-- Which units hold which trait: (key, unit), repeated where several profiles of a unit hold it.
-- Reads `held_trait(key, trait_id)`, `place`, the view `traits_now`.
SELECT
    held_trait.key,
    place.unit
FROM traits_now
INNER JOIN held_trait ON held_trait.trait_id = traits_now.trait_id
INNER JOIN place ON place.dpid = traits_now.dpid AND place.id = traits_now.id;
