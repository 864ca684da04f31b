-- IDs that left a segment. Reads `went(key, no)`, `judged_segment`, `judged_profile`.
SELECT
    judged_segment.segment_id,
    judged_profile.dpid,
    judged_profile.id
FROM went
INNER JOIN judged_segment ON judged_segment.key = went.key
INNER JOIN judged_profile ON judged_profile.no = went.no;
