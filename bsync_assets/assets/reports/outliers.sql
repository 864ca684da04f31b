-- Figures of the day that left the band of their own history. Grain: one row per partner, data source of user IDs and figure.
-- Of $day.
FROM outliers
WHERE day = $day
ORDER BY partner, dpid, figure;
