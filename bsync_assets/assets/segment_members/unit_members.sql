-- Profiles of the units that the profile ($dpid, $id) is part of: which unit, and who is in it. Reads `place`.
SELECT
    other.unit,
    other.dpid,
    other.id
FROM place AS own
INNER JOIN place AS other ON other.unit = own.unit
WHERE own.dpid = $dpid AND own.id = $id
ORDER BY other.unit, other.dpid, other.id;
