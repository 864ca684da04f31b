-- Files of the day's deliveries, the control file first. Grain: one row per file. Of $day.
FROM outbound_files
WHERE day = $day
ORDER BY destination, ts_ms, part;
