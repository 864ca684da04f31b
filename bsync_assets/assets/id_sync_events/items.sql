-- The distinct signals of the day, numbered. Grain: one row per key and value. Reads `event_signals`.
SELECT
    row_number() OVER () AS item,
    key,
    value
FROM (SELECT DISTINCT key, value FROM temp.event_signals) AS signals;
