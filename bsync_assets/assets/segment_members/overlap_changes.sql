-- The day's change set of `segment_overlaps`: only IDs that came or went can change how many two segments share (SEG-064).
-- Reads the views `members_then`, of the IDs that came or went alone, and `overlaps_then`.
WITH
before AS MATERIALIZED (
    SELECT
        segment_id,
        dpid,
        id
    FROM members_then
),

moves AS MATERIALIZED (
    SELECT
        segment_id,
        dpid,
        id,
        change
    FROM lake.main.segment_changes
    WHERE day = $day
),

after AS (
    SELECT *
    FROM before
    ANTI JOIN moves USING (segment_id, dpid, id)
    UNION ALL
    SELECT
        segment_id,
        dpid,
        id
    FROM moves
    WHERE change = 'added'
),

-- Segments per ID, then pairs of them: one grouping of IDs is cheaper than a join of the members with themselves.
held AS (
    SELECT
        list(segment_id) AS segments,
        -1 AS ids
    FROM before
    GROUP BY dpid, id
    HAVING count(*) > 1
    UNION ALL
    SELECT
        list(segment_id),
        1
    FROM after
    GROUP BY dpid, id
    HAVING count(*) > 1
),

own AS (
    SELECT
        segments,
        unnest(segments) AS segment_id,
        ids
    FROM held
),

moved AS (
    SELECT
        segment_id,
        unnest(list_filter(segments, LAMBDA other: other > segment_id)) AS other_id,
        ids
    FROM own
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
