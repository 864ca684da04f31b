-- Each distinct item text of the slice -> what it says (INB-52 to INB-65, INB-71, INB-77, INB-78).
-- Grain: one row per item. Reads `item_text(item, text)`, texts without the blanks around them.
-- kind: add, remove (ignored in overwrite files), ic, bare, kv, bad; or a flaw that spoils its line: bad_quote, pii.
WITH
-- The first `=` outside quotes splits. A quoted key is exactly one quoted string before it.
split AS (
    SELECT
        item,
        text,
        contains(text, '"') AS quoted,
        contains(text, ' ') AS spaced,
        CASE
            WHEN NOT contains(text, '=') THEN 0
            WHEN NOT contains(text[1:strpos(text, '=')], '"') THEN strpos(text, '=')
            ELSE length(regexp_extract(text, '^(?:[^"=]|"[^"]*")*=', 0))
        END AS equals
    FROM item_text
),

sides AS (
    SELECT
        item,
        text,
        quoted,
        equals > 0 AS is_pair,
        CASE WHEN spaced THEN rtrim(text[1:equals - 1], ' ') ELSE text[1:equals - 1] END AS raw_key,
        CASE WHEN spaced THEN ltrim(text[equals + 1:], ' ') ELSE text[equals + 1:] END AS raw_value
    FROM split
),

unquoted AS (
    SELECT
        *,
        ltrim(CASE WHEN contains(raw_key, '"') THEN raw_key[2:-2] ELSE raw_key END, '-') AS key,
        CASE WHEN contains(raw_value, '"') THEN raw_value[2:-2] ELSE raw_value END AS value,
        is_pair AND quoted AND (
            (contains(raw_key, '"') AND NOT regexp_full_match(raw_key, '"[^"]*"'))
            OR (contains(raw_value, '"') AND NOT regexp_full_match(raw_value, '"[^"]*"'))
        ) AS bad_quote
    FROM sides
),

worded AS (
    SELECT
        *,
        lower(key) AS word
    FROM unquoted
),

judged AS (
    SELECT
        item,
        text,
        key,
        value,
        CASE
            WHEN bad_quote THEN 'bad_quote'
            WHEN holds_email(CASE WHEN is_pair THEN value ELSE text END) THEN 'pii'
            WHEN is_pair AND key = '' THEN 'bad'
            WHEN is_pair AND word IN ('d_sid', 'd_unsid') AND NOT regexp_full_match(value, '[0-9]{1,18}') THEN 'bad'
            WHEN is_pair AND word = 'd_sid' THEN 'add'
            WHEN is_pair AND word = 'd_unsid' THEN 'remove'
            WHEN is_pair AND word = 'ic' AND value = '' THEN 'bad'
            WHEN is_pair AND word = 'ic' THEN 'ic'
            WHEN is_pair THEN 'kv'
            WHEN quoted THEN 'bad'
            WHEN regexp_full_match(text, '[0-9]{1,18}:(0|-1)') THEN 'remove'
            WHEN contains(text, ':') THEN 'bad'
            ELSE 'bare'
        END AS kind,
        is_pair
    FROM worded
)

SELECT
    item,
    text,
    kind,
    -- the trait named by ID; a bare number may turn out to be one (INB-64)
    CASE
        WHEN kind IN ('add', 'remove') AND is_pair THEN CAST(value AS BIGINT)
        WHEN kind = 'remove' THEN CAST(string_split(text, ':')[1] AS BIGINT)
        WHEN kind = 'bare' AND regexp_full_match(text, '[0-9]{1,18}') THEN CAST(text AS BIGINT)
    END AS trait_id,
    -- the signal that rules see; a bare value V stands for ic=V
    CASE kind WHEN 'kv' THEN key WHEN 'ic' THEN 'ic' WHEN 'bare' THEN 'ic' END AS key,
    CASE kind WHEN 'kv' THEN value WHEN 'ic' THEN value WHEN 'bare' THEN text END AS value
FROM judged;
