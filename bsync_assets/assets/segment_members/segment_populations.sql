-- Distinct members of each segment on any of the days of the windows that end with $day (SEG-062): those of today, and those
-- that have left since a day of the window. Grain: one row per segment that is not deleted.
WITH
-- Whoever left and did not come back; the day before leaving was the last one as a member.
departed AS (
    SELECT
        segment_id,
        dpid,
        id,
        max(day) AS left_on
    FROM lake.main.segment_changes
    WHERE day > CAST($day AS DATE) - 89 AND day <= $day AND change = 'removed'
    GROUP BY segment_id, dpid, id
),

returned AS (
    SELECT
        departed.segment_id,
        departed.dpid,
        departed.id
    FROM lake.main.segment_changes AS changes
    INNER JOIN departed USING (segment_id, dpid, id)
    WHERE changes.day > (SELECT min(left_on) FROM departed)
        AND changes.day <= $day
        AND changes.day > departed.left_on
        AND changes.change = 'added'
),

left_for_good AS (
    SELECT
        segment_id,
        left_on - 1 AS last_day
    FROM departed
    ANTI JOIN returned USING (segment_id, dpid, id)
),

former AS (
    SELECT
        segment_id,
        count(*) FILTER (last_day > CAST($day AS DATE) - 7) AS members_7,
        count(*) FILTER (last_day > CAST($day AS DATE) - 14) AS members_14,
        count(*) FILTER (last_day > CAST($day AS DATE) - 30) AS members_30,
        count(*) FILTER (last_day > CAST($day AS DATE) - 60) AS members_60,
        count(*) AS members_90
    FROM left_for_good
    GROUP BY segment_id
)

SELECT
    runs.day,
    runs.segment_id,
    runs.members AS members_1,
    runs.members + coalesce(former.members_7, 0) AS members_7,
    runs.members + coalesce(former.members_14, 0) AS members_14,
    runs.members + coalesce(former.members_30, 0) AS members_30,
    runs.members + coalesce(former.members_60, 0) AS members_60,
    runs.members + coalesce(former.members_90, 0) AS members_90
FROM lake.main.segment_runs AS runs
LEFT JOIN former USING (segment_id)
WHERE runs.day = $day AND runs.status <> 'deleted';
