-- How many more or fewer IDs two segments share after the day $day: only IDs that came or went can change that (SEG-064).
-- Grain: one row per pair of segments. Of one of $slices equal parts of the IDs, number $slice; the parts add up.
-- Reads the view `members_then`, of the IDs that came or went alone.
WITH
said AS (
    SELECT
        segment_id,
        dpid,
        id,
        'before' AS change
    FROM members_then
    WHERE hash(dpid, id) % $slices = $slice
    UNION ALL
    SELECT
        segment_id,
        dpid,
        id,
        change
    FROM lake.main.segment_changes
    WHERE day = $day AND hash(dpid, id) % $slices = $slice
),

-- Segments per ID, then pairs of them: one grouping of IDs is cheaper than a join of the members with themselves.
held AS MATERIALIZED (
    SELECT
        coalesce(list(segment_id) FILTER (change = 'before'), []) AS before,
        coalesce(list(segment_id) FILTER (change = 'added'), []) AS came,
        coalesce(list(segment_id) FILTER (change = 'removed'), []) AS went
    FROM said
    GROUP BY dpid, id
    HAVING count(*) > 1
),

lists AS (
    SELECT
        before AS segments,
        -1 AS ids
    FROM held
    UNION ALL
    SELECT
        list_concat(list_filter(before, LAMBDA segment: NOT list_contains(went, segment)), came),
        1
    FROM held
),

own AS (
    SELECT
        segments,
        unnest(segments) AS segment_id,
        ids
    FROM lists
    WHERE len(segments) > 1
),

moved AS (
    SELECT
        segment_id,
        unnest(list_filter(segments, LAMBDA other: other > segment_id)) AS other_id,
        ids
    FROM own
)

SELECT
    segment_id,
    other_id,
    sum(ids)::BIGINT AS ids
FROM moved
GROUP BY segment_id, other_id;
