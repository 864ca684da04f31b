-- Profiles that have to be read to judge those affected: all that are merged with them now. `affected`: whether it is one.
-- Reads `affected_profile`, `merged_now`.
SELECT
    dpid,
    id,
    TRUE AS affected
FROM affected_profile
UNION ALL
SELECT DISTINCT
    companion.dpid,
    companion.id,
    FALSE
FROM affected_profile AS affected
INNER JOIN merged_now AS own ON own.dpid = affected.dpid AND own.id = affected.id
INNER JOIN merged_now AS companion ON companion.unit_dpid = own.unit_dpid AND companion.unit_id = own.unit_id
ANTI JOIN affected_profile AS known ON known.dpid = companion.dpid AND known.id = companion.id;
