-- IDs that have a link at the end of the day, of the namespaces that the day's files use. Grain: one row per link.
-- Reads `current_link`, `data_file`.
SELECT
    dpid,
    id
FROM current_link
WHERE dpid IN (SELECT dpid FROM data_file);
