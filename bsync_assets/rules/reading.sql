-- Signals as comparisons read them (TRT-045), of the keys that comparisons name.
-- Grain: one row per item from number $first on, and letter-case rule in use. Reads `item(item, key, value)` and `comparison`.
-- text is the value as compared, value is the value as sent.
WITH
folded AS (
    SELECT
        item,
        FALSE AS case_sensitive,
        lower(key) AS key,
        lower(value) AS text,
        value
    FROM item
    WHERE item >= $first
    UNION ALL
    SELECT
        item,
        TRUE AS case_sensitive,
        key,
        value AS text,
        value
    FROM item
    WHERE item >= $first
)

SELECT f.*
FROM folded AS f
SEMI JOIN comparison AS c
    ON f.case_sensitive = c.case_sensitive AND f.key = c.key;
