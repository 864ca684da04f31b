-- Pairs of the slice that no rule used, but one would after a small change: the closest such rule. Grain: one row per target,
-- key and value. Only rules that ask for equality are looked at: the others take what is near them anyway.
-- change: what differs: case, value (blanks and punctuation), key (spelled otherwise), operator (the value is one word of several).
-- Reads `rule_term`, `comparison`, `unused`.
WITH
wanted AS (
    SELECT
        rule_term.target,
        rule_term.trait_id,
        comparison.key,
        comparison.operand,
        lower(regexp_replace(comparison.key, '[^\p{L}\p{N}]+', '', 'g')) AS plain_key,
        lower(regexp_replace(comparison.operand, '[^\p{L}\p{N}]+', '', 'g')) AS plain_operand
    FROM rule_term
    INNER JOIN comparison ON comparison.comparison = rule_term.comparison
    WHERE comparison.op = '=='
),

spoken AS (
    SELECT DISTINCT
        target,
        key,
        value,
        lower(regexp_replace(key, '[^\p{L}\p{N}]+', '', 'g')) AS plain_key,
        lower(regexp_replace(value, '[^\p{L}\p{N}]+', '', 'g')) AS plain_value
    FROM unused
),

whole AS (
    SELECT
        spoken.target,
        spoken.key,
        spoken.value,
        wanted.trait_id,
        CASE
            WHEN lower(spoken.key) <> lower(wanted.key) THEN 'key'
            WHEN lower(spoken.value) <> lower(wanted.operand) THEN 'value'
            ELSE 'case'
        END AS change,
        levenshtein(spoken.plain_key, wanted.plain_key) AS distance
    FROM spoken
    INNER JOIN wanted ON wanted.target = spoken.target AND wanted.plain_operand = spoken.plain_value
    WHERE wanted.plain_operand <> '' AND distance <= least(2, length(wanted.plain_key) // 3)
),

in_words AS (
    SELECT
        said.target,
        said.key,
        said.value,
        wanted.trait_id,
        'operator' AS change,
        3 AS distance
    FROM (
        SELECT target, key, value, unnest(string_split_regex(lower(value), '[^\p{L}\p{N}]+')) AS word FROM spoken
    ) AS said
    INNER JOIN wanted
        ON wanted.target = said.target AND lower(wanted.key) = lower(said.key) AND lower(wanted.operand) = said.word
    WHERE length(said.word) >= 3
),

near AS (
    FROM whole
    UNION ALL
    FROM in_words
)

SELECT
    target,
    key,
    value,
    trait_id,
    change
FROM near
QUALIFY row_number() OVER (PARTITION BY target, key, value ORDER BY distance, trait_id) = 1;
