-- Accepted rows that came to nothing, for `rejected_lines`. Reads `row_outcome`; $day.
SELECT
    CAST($day AS DATE) AS day,
    partner,
    file,
    line_no,
    outcome AS reason,
    NULL::VARCHAR AS sample,
    batch,
    'id_links' AS stage
FROM row_outcome
WHERE outcome <> 'stored';
