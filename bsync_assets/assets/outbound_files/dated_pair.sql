-- `pair` with the time its segment last changed for one of the members behind it: the start of that day, epoch milliseconds. What
-- is taken back changed on the day of the delivery. Reads `segment_change`, `address`, `value_of`; $namespace, $day.
WITH
reached AS (
    SELECT segment_id, id, day FROM segment_change WHERE dpid = $namespace
    UNION ALL
    SELECT segment_change.segment_id, address.id, segment_change.day
    FROM segment_change
    JOIN address ON address.dpid = segment_change.dpid AND address.of_id = segment_change.id
),

changed AS (
    SELECT value_of.pos, reached.id, max(reached.day) AS day
    FROM reached
    JOIN value_of USING (segment_id)
    GROUP BY ALL
)

SELECT pair.*, epoch_ms(CAST(CASE WHEN is_removed THEN $day ELSE coalesce(changed.day, $day) END AS TIMESTAMP)) AS updated
FROM pair
LEFT JOIN changed USING (pos, id);
