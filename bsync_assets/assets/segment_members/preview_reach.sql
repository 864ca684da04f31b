-- Members of a draft that a destination could be told of: those with an ID in its namespace, their own or a linked one (SEG-063).
-- Grain: one row per destination. Reads `draft_member(dpid, id)`, `destination(destination, dpid)`, the view `link`.
WITH
named AS (
    SELECT
        destination.destination,
        draft_member.dpid,
        draft_member.id
    FROM destination
    INNER JOIN draft_member ON draft_member.dpid = destination.dpid
    UNION
    SELECT
        destination.destination,
        draft_member.dpid,
        draft_member.id
    FROM destination
    INNER JOIN link ON link.dpid = destination.dpid
    INNER JOIN draft_member ON draft_member.dpid = link.device_dpid AND draft_member.id = link.device_id
)

SELECT
    destination.destination,
    count(named.id) AS addressable
FROM destination
LEFT JOIN named ON named.destination = destination.destination
GROUP BY destination.destination
ORDER BY destination.destination;
