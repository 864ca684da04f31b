-- Mappings that were not sent on the day $day. Grain: one row per mapping and control.
FROM export_blocks
WHERE day = $day
ORDER BY destination, segment_id, code, source;
