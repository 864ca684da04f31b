-- The signals that a pattern may be matched against. Grain: one row per item and letter-case rule. Reads `reading`, `comparison`.
SELECT
    r.item,
    r.case_sensitive,
    r.key,
    r.value
FROM reading AS r
SEMI JOIN comparison AS c
    ON r.case_sensitive = c.case_sensitive AND r.key = c.key AND c.op = 'matchesregex';
