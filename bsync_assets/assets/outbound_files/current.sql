-- What each ID holds now: (ID, position of the destination value). Several members may stand behind one ID (OUT-010).
-- Reads `value_of`, `member_of_day`, `address`, `opted_out`; $namespace.
WITH
addressed AS (
    SELECT member.id, value_of.pos, member.segment_id
    FROM member_of_day AS member
    JOIN value_of USING (segment_id)
    WHERE member.dpid = $namespace
    UNION ALL
    SELECT address.id, value_of.pos, member.segment_id
    FROM member_of_day AS member
    JOIN value_of USING (segment_id)
    JOIN address ON address.dpid = member.dpid AND address.of_id = member.id
)

SELECT id, pos
FROM addressed
ANTI JOIN opted_out ON opted_out.dpid = $namespace AND opted_out.id = addressed.id;
