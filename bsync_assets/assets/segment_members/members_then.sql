-- Members of the segments judged as recorded before the day, of the profiles judged: (key, profile).
-- Reads `judged_segment(key, segment_id)`, `judged_profile`, the view `members_then`.
SELECT
    judged_segment.key,
    judged_profile.no
FROM members_then
INNER JOIN judged_segment ON judged_segment.segment_id = members_then.segment_id
INNER JOIN judged_profile ON judged_profile.dpid = members_then.dpid AND judged_profile.id = members_then.id
WHERE judged_profile.affected;
