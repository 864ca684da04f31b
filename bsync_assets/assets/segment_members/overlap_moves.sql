-- How many more or fewer IDs two segments share after the day $day: only IDs that came or went can change that (SEG-064).
-- Grain: one row per pair of segments. Of one of $slices equal parts of the IDs, number $slice; the parts add up.
-- Reads the view `members_then`, of the IDs that came or went alone.
WITH
before AS MATERIALIZED (
    SELECT
        segment_id,
        dpid,
        id
    FROM members_then
    WHERE hash(dpid, id) % $slices = $slice
),

moves AS MATERIALIZED (
    SELECT
        segment_id,
        dpid,
        id,
        change
    FROM lake.main.segment_changes
    WHERE day = $day AND hash(dpid, id) % $slices = $slice
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
)

SELECT
    segment_id,
    other_id,
    sum(ids)::BIGINT AS ids
FROM moved
GROUP BY segment_id, other_id;
