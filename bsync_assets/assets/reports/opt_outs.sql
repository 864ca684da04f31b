-- IDs that opted out on the day. Grain: one row per kind. Reads `opt_outs_changes`; $day.
SELECT
    coalesce(kind, 'imported') AS kind,
    count(*) AS ids
FROM opt_outs_changes
WHERE day = $day AND change = 'added'
GROUP BY ALL
ORDER BY ALL;
