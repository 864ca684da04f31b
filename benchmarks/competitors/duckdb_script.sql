-- The obvious SQL: read, split, unnest, join, group. Wants the variables `files`, `links` and `rules` (paths).

CREATE TEMP TABLE lines AS
SELECT row_number() OVER () AS row_id, id, nullif(payload, '') AS payload
FROM read_csv(
    getvariable('files'),
    delim = '\t', quote = '', escape = '', header = false, auto_detect = false, null_padding = true,
    columns = {'id': 'VARCHAR', 'payload': 'VARCHAR'}
);

CREATE TEMP TABLE links AS
SELECT id, uuid FROM read_parquet(getvariable('links'));

-- `other` is the second item that an AND rule wants
CREATE TEMP TABLE rule_items AS
WITH rules AS (
    FROM read_parquet(getvariable('rules'))
)
SELECT key_1 || '=' || value_1 AS item, key_2 || '=' || value_2 AS other, trait FROM rules WHERE key_1 IS NOT NULL
UNION ALL
SELECT value_1, NULL, trait FROM rules WHERE key_1 = 'ic'
UNION ALL
SELECT 'd_sid=' || trait, NULL, trait FROM rules;

CREATE TEMP TABLE matched AS
SELECT row_id, id
FROM lines
WHERE payload IS NOT NULL AND id IN (SELECT id FROM links);

CREATE TEMP TABLE items AS
SELECT
    row_id,
    unnest(
        CASE
            WHEN contains(payload, '"')
                THEN list_transform(regexp_extract_all(payload, '(?:[^,"]|"[^"]*")+'), lambda item: replace(item, '"', ''))
            ELSE string_split(payload, ',')
        END
    ) AS item
FROM lines
WHERE payload IS NOT NULL;

CREATE TEMP TABLE used_items AS
SELECT row_id, item
FROM items
WHERE item IN (SELECT item FROM rule_items UNION ALL SELECT other FROM rule_items WHERE other IS NOT NULL);

CREATE TEMP TABLE realized AS
SELECT used_items.row_id, matched.id, rule_items.trait
FROM used_items
JOIN matched ON matched.row_id = used_items.row_id
JOIN rule_items ON rule_items.item = used_items.item
WHERE rule_items.other IS NULL
UNION
SELECT used_items.row_id, matched.id, rule_items.trait
FROM used_items
JOIN matched ON matched.row_id = used_items.row_id
JOIN rule_items ON rule_items.item = used_items.item
JOIN used_items AS others ON others.row_id = used_items.row_id AND others.item = rule_items.other;

CREATE TEMP TABLE memberships AS
SELECT DISTINCT links.uuid, realized.trait
FROM realized
JOIN links ON links.id = realized.id;

WITH counted AS (
    SELECT
        (SELECT count(*) FROM lines) AS received,
        (SELECT count(*) FROM lines WHERE payload IS NULL) AS format_errors,
        (SELECT count(*) FROM matched) AS matched,
        (SELECT count(DISTINCT row_id) FROM realized) AS stored,
        (SELECT count(*) FROM items) AS signals,
        (SELECT count(*) FROM used_items) AS used,
        (SELECT count(*) FROM realized) AS realized
)
SELECT
    received,
    received AS processed,
    format_errors,
    received - format_errors - matched AS no_match,
    matched - stored AS no_trait,
    stored,
    signals,
    signals - used AS unused,
    realized
FROM counted;
