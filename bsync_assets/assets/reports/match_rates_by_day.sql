-- Match rates of the four weeks up to the day, of the six sources whose rate fell most on it. Grain: one row per day and source.
-- Of $day.
WITH
worst AS (
    SELECT
        partner,
        dpid,
        row_number() OVER (ORDER BY least(coalesce(trend, 0), 0), records DESC, partner, dpid) AS place
    FROM match_rates
    WHERE day = $day
)

SELECT
    rates.day,
    rates.partner,
    rates.dpid,
    rates.match_rate
FROM match_rates AS rates
INNER JOIN worst ON worst.partner = rates.partner AND worst.dpid = rates.dpid
WHERE worst.place <= 6 AND rates.day BETWEEN CAST($day AS DATE) - 27 AND CAST($day AS DATE)
ORDER BY worst.place, rates.day;
