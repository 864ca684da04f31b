-- Every profile that may be or may have been a member: holders of a trait that is asked for, those merged with one, members.
-- Reads `named_trait`, `merged_now`, `judged_segment` and the views `traits_now`, `members_then`.
SELECT
    traits_now.dpid,
    traits_now.id,
    TRUE AS affected
FROM traits_now
WHERE traits_now.trait_id IN (SELECT trait_id FROM named_trait)
UNION
SELECT
    dpid,
    id,
    TRUE
FROM merged_now
UNION
SELECT
    dpid,
    id,
    TRUE
FROM members_then
WHERE segment_id IN (SELECT segment_id FROM judged_segment);
