-- Members of paused segments that leave all the same: those who opted out or asked for deletion since $last (SEG-041).
-- Reads `paused(segment_id)`, the views `members_then`, `gone`; $day.
WITH
leaving AS (
    SELECT
        changes.dpid,
        changes.id,
        'opt_out' AS reason
    FROM lake.main.opt_outs_changes AS changes
    WHERE changes.day > $last AND changes.day <= $day AND changes.change <> 'removed'
    UNION
    SELECT
        changes.dpid,
        changes.id,
        changes.reason
    FROM lake.main.profile_traits_changes AS changes
    WHERE changes.day > $last AND changes.day <= $day AND changes.reason = 'deletion_request'
)

SELECT
    members_then.segment_id,
    members_then.dpid,
    members_then.id,
    'removed' AS change,
    max(leaving.reason) AS reason
FROM members_then
SEMI JOIN paused USING (segment_id)
INNER JOIN leaving USING (dpid, id)
GROUP BY ALL;
