-- Records with an item that spoils its line (INB-55, INB-71). Grain: one row per record; bad_quote goes before pii.
-- Reads `spoiling`, `item`.
SELECT
    spoiling.rec,
    min(item.kind) AS kind
FROM spoiling
INNER JOIN item ON item.item = spoiling.item
GROUP BY spoiling.rec;
