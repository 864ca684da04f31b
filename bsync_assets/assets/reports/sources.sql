-- Match rates of the day $day, the one that fell most first. Grain: one row per partner and data source of user IDs.
FROM match_rates
WHERE day = $day
ORDER BY trend NULLS LAST, records DESC, partner, dpid;
