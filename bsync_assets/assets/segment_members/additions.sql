-- IDs that came into a segment, for `member_changes`. Reads `came(key, no)`, `judged_segment`, `judged_profile`.
SELECT
    judged_segment.segment_id,
    judged_profile.dpid,
    judged_profile.id,
    'added' AS change,
    NULL AS reason
FROM came
INNER JOIN judged_segment ON judged_segment.key = came.key
INNER JOIN judged_profile ON judged_profile.no = came.no
WHERE judged_profile.affected;
