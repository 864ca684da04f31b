-- Kept records that were applied today, for `late_matches`. Reads `record`, `record_effect`; $day.
SELECT
    $day::DATE AS day,
    record.origin_day,
    record.partner,
    record.file_id,
    record.line_no,
    record.dpid,
    record.id,
    coalesce(effect.removed, 0)::INTEGER AS removed,
    coalesce(effect.inactive, 0)::INTEGER AS inactive
FROM record
LEFT JOIN record_effect AS effect ON effect.rec = record.rec
WHERE record.is_late;
