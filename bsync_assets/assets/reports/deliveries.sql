-- Deliveries of the day $day, and earlier ones that are still open. Grain: one row per delivery.
FROM deliveries
WHERE day = $day OR (day < $day AND status <> 'delivered')
ORDER BY day, destination, ts_ms;
