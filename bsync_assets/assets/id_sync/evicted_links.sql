-- Links that a limit pushed out today, also those that only came today, each with the row that did it. Grain: one row per link.
-- Reads `link_ranked`, `row_outcome`; $day.
SELECT
    CAST($day AS DATE) AS day,
    link_ranked.dpid,
    link_ranked.id,
    link_ranked.device_dpid,
    link_ranked.device_id,
    link_ranked.last_seen,
    row_outcome.partner,
    row_outcome.file,
    row_outcome.batch,
    row_outcome.line_no
FROM link_ranked
LEFT JOIN row_outcome ON row_outcome.row_no = link_ranked.cause_row
WHERE link_ranked.is_evicted;
