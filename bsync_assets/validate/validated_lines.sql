-- Lines of the slice as they are handed over. Grain: one row per line of `normal_line(line_no, outcome)`.
-- Reads `rejected_line`, `line_rule`.
SELECT
    normal_line.line_no,
    normal_line.outcome,
    rejected_line.reason,
    line_rule.rule,
    rejected_line.sample
FROM normal_line
LEFT JOIN rejected_line ON rejected_line.line_no = normal_line.line_no
LEFT JOIN line_rule ON line_rule.code = rejected_line.reason;
