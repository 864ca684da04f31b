-- Which signal satisfies the matchesregex comparison $comparison (TRT-048). Grain: one row per item.
-- Reads `pattern_reading`. The pattern is a parameter because the engine compiles a constant once, but the
-- value of a column anew for each row (13 times slower, measured).
-- $key, $pattern and $case_sensitive are those of the comparison.
SELECT
    item,
    CAST($comparison AS INTEGER) AS comparison
FROM pattern_reading
WHERE case_sensitive = $case_sensitive AND key = $key AND regexp_full_match(value, $pattern);
