-- Who was judged together with a removed member when it was one, itself included. Reads `removed`, `merged_before`.
SELECT DISTINCT
    dpid,
    id,
    dpid AS with_dpid,
    id AS with_id
FROM removed
UNION
SELECT
    own.dpid,
    own.id,
    other.dpid,
    other.id
FROM merged_before AS own
INNER JOIN merged_before AS other ON other.unit_dpid = own.unit_dpid AND other.unit_id = own.unit_id
SEMI JOIN removed ON removed.dpid = own.dpid AND removed.id = own.id;
