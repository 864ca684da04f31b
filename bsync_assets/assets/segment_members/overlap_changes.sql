-- The day's change set of `segment_overlaps`: only IDs that came or went can change how many two segments share (SEG-064).
-- Reads the views `members_then`, `members_now` (of the IDs that came or went alone) and `overlaps_then`.
WITH
moved AS (
    SELECT
        own.segment_id,
        other.segment_id AS other_id,
        -1 AS ids
    FROM members_then AS own
    INNER JOIN members_then AS other
        ON other.dpid = own.dpid AND other.id = own.id AND other.segment_id > own.segment_id
    UNION ALL
    SELECT
        own.segment_id,
        other.segment_id,
        1
    FROM members_now AS own
    INNER JOIN members_now AS other
        ON other.dpid = own.dpid AND other.id = own.id AND other.segment_id > own.segment_id
),

difference AS (
    SELECT
        segment_id,
        other_id,
        sum(ids) AS ids
    FROM moved
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
