-- How much of each mapped segment a destination could be told of. Grain: one row per mapping. Of $day.
FROM addressable_members
WHERE day = $day
ORDER BY destination, segment_id;
