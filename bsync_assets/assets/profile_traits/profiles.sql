-- Profiles that something happens to today, by number. Grain: one row per profile. Reads `holder`; $day.
WITH
touched AS (
    SELECT
        dpid,
        id
    FROM holder
    WHERE is_active
    UNION
    SELECT
        dpid,
        id
    FROM lake.main.event_traits
    WHERE day = $day
)

SELECT
    row_number() OVER () AS profile_no,
    dpid,
    id
FROM touched;
