-- Records with an item that spoils its line (INB-55, INB-71). Grain: one row per record; bad_quote goes before pii.
SELECT
    token.rec,
    min(item.kind) AS kind
FROM token
INNER JOIN item ON item.item = token.item
WHERE item.kind IN ('bad_quote', 'pii')
GROUP BY token.rec;
