-- Links that were made, seen again or removed on the day. Grain: one row per kind of change. Reads `id_links_changes`; $day.
SELECT
    change,
    count(*) AS links
FROM id_links_changes
WHERE day = $day
GROUP BY change
ORDER BY change;
