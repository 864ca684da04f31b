-- Comparisons, ready to be joined (TRT-040 to TRT-049). Grain: one row per comparison.
-- Reads `given(comparison, key, op, operand, case_sensitive)`; the operand of matchesregex is the engine's
-- form of the pattern.
WITH
folded AS (
    SELECT
        comparison,
        op,
        case_sensitive,
        CASE WHEN case_sensitive THEN key ELSE lower(key) END AS key,
        -- a pattern says itself whether case matters (TRT-048)
        CASE WHEN case_sensitive OR op = 'matchesregex' THEN operand ELSE lower(operand) END AS operand
    FROM given
)

SELECT
    comparison,
    key,
    op,
    CASE WHEN op = 'matcheswords' THEN rule_words(operand) ELSE operand END AS operand,
    CASE WHEN op IN ('<', '>', '<=', '>=') THEN rule_number(operand) END AS number,
    case_sensitive
FROM folded;
