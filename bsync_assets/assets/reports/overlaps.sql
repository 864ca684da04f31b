-- How many IDs each two of some segments share at the end of the day. Grain: one row per pair that shares any.
-- Reads `segment_overlaps_by_day`; $day, $segments.
SELECT
    segment_id,
    other_id,
    shared
FROM segment_overlaps_by_day
WHERE day = $day
    AND segment_id IN (SELECT unnest(CAST($segments AS BIGINT[])))
    AND other_id IN (SELECT unnest(CAST($segments AS BIGINT[])));
