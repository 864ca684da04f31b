-- Records with an item that spoils its line (INB-55, INB-71). Grain: one row per record; bad_quote goes before pii.
WITH
spoiling AS (
    SELECT
        rec,
        item
    FROM token
    WHERE item IN (SELECT item FROM item WHERE kind IN ('bad_quote', 'pii'))
)

SELECT
    spoiling.rec,
    min(item.kind) AS kind
FROM spoiling
INNER JOIN item ON item.item = spoiling.item
GROUP BY spoiling.rec;
