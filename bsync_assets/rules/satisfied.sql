-- Which signal satisfies which comparison (TRT-040 to TRT-047), matchesregex apart.
-- Grain: one row per (item, comparison). Reads `reading` and `comparison`.
-- Equality joins on key and value, so that thousands of rules cost no more than one; the other operators meet
-- only the signals of their own key.
WITH
equal AS (
    SELECT
        r.item,
        c.comparison
    FROM reading AS r
    INNER JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key AND r.text = c.operand
    WHERE c.op = '=='
),

textual AS (
    SELECT
        r.item,
        c.comparison
    FROM reading AS r
    INNER JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key
    WHERE
        c.op IN ('!=', 'contains', 'startswith', 'endswith')
        AND CASE c.op
            WHEN '!=' THEN r.text != c.operand
            WHEN 'contains' THEN contains(r.text, c.operand)
            WHEN 'startswith' THEN starts_with(r.text, c.operand)
            WHEN 'endswith' THEN ends_with(r.text, c.operand)
        END
),

-- Numbers and words are read once per signal, not once per comparison.
numeric_reading AS (
    SELECT
        r.item,
        r.case_sensitive,
        r.key,
        rule_number(r.value) AS number
    FROM reading AS r
    SEMI JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key AND c.number IS NOT NULL
),

numeric AS (
    SELECT
        r.item,
        c.comparison
    FROM numeric_reading AS r
    INNER JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key
    WHERE
        c.number IS NOT NULL
        AND CASE c.op
            WHEN '<' THEN r.number < c.number
            WHEN '>' THEN r.number > c.number
            WHEN '<=' THEN r.number <= c.number
            WHEN '>=' THEN r.number >= c.number
        END
),

worded_reading AS (
    SELECT
        r.item,
        r.case_sensitive,
        r.key,
        rule_words(r.text) AS words
    FROM reading AS r
    SEMI JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key AND c.op = 'matcheswords'
),

worded AS (
    SELECT
        r.item,
        c.comparison
    FROM worded_reading AS r
    INNER JOIN comparison AS c
        ON r.case_sensitive = c.case_sensitive AND r.key = c.key
    WHERE c.op = 'matcheswords' AND contains(r.words, c.operand)
)

FROM equal
UNION ALL
FROM textual
UNION ALL
FROM numeric
UNION ALL
FROM worded;
