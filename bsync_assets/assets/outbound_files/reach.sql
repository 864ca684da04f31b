-- Members of each live segment, and how many of them have an ID in the namespace of the destination (OUT-013).
-- Reads `address`, `value_of`, `member_of_day`; $day, $destination, $namespace.
SELECT
    CAST($day AS DATE) AS day,
    $destination AS destination,
    segment_id,
    count(member.id) AS members,
    count(*) FILTER (member.id IS NOT NULL AND (member.dpid = $namespace OR address.of_id IS NOT NULL)) AS addressable,
    members - addressable AS not_addressable
FROM (SELECT DISTINCT segment_id FROM value_of)
LEFT JOIN member_of_day AS member USING (segment_id)
LEFT JOIN (SELECT DISTINCT dpid, of_id FROM address) AS address ON address.dpid = member.dpid AND address.of_id = member.id
GROUP BY segment_id;
