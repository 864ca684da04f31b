-- The day's change set of `segment_overlaps`. Reads `overlap_move(segment_id, other_id, ids)` and the view `overlaps_then`.
WITH
difference AS (
    SELECT
        segment_id,
        other_id,
        sum(ids) AS ids
    FROM overlap_move
    GROUP BY segment_id, other_id
    HAVING sum(ids) <> 0
)

SELECT
    difference.segment_id,
    difference.other_id,
    CAST(coalesce(overlaps_then.shared, 0) + difference.ids AS BIGINT) AS shared,
    CASE
        WHEN overlaps_then.shared IS NULL THEN 'added'
        WHEN overlaps_then.shared + difference.ids = 0 THEN 'removed'
        ELSE 'renewed'
    END AS change,
    NULL::VARCHAR AS reason
FROM difference
LEFT JOIN overlaps_then USING (segment_id, other_id);
