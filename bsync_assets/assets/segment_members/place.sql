-- Which units each profile is part of: those it is merged into, else itself (SEG-005, SEG-006). A unit has the number of the
-- profile it is named by. Those who opted out are in none, nor are kinds of profile the merge rule does not take.
-- Reads `judged_profile`, `merged_now`, `gone_now`; $devices: whether devices may be members; $people: all cross-device
-- sources; $sources: those chosen.
SELECT
    unit.no AS unit,
    profile.no AS profile,
    profile.dpid,
    profile.id
FROM judged_profile AS profile
INNER JOIN merged_now AS merged ON merged.dpid = profile.dpid AND merged.id = profile.id
INNER JOIN judged_profile AS unit ON unit.dpid = merged.unit_dpid AND unit.id = merged.unit_id
UNION ALL
SELECT
    profile.no,
    profile.no,
    profile.dpid,
    profile.id
FROM judged_profile AS profile
ANTI JOIN (SELECT dpid, id FROM merged_now) AS merged ON merged.dpid = profile.dpid AND merged.id = profile.id
ANTI JOIN gone_now AS gone ON gone.dpid = profile.dpid AND gone.id = profile.id
WHERE CASE
        WHEN list_contains($people, profile.dpid) THEN list_contains($sources, profile.dpid)
        ELSE $devices
    END;
