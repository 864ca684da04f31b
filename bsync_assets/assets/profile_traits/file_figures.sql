-- Figures of the day's data files that depend on what profiles held before. Reads `day_file`, `record`, `record_effect`; $day.
SELECT
    $day::DATE AS day,
    day_file.partner,
    day_file.key AS file,
    day_file.batch,
    coalesce(sum(effect.removed), 0)::BIGINT AS total_removed_traits,
    coalesce(sum(effect.inactive), 0)::BIGINT AS dropped_inactive
FROM day_file
LEFT JOIN record ON record.file_id = day_file.file_id AND NOT record.is_late
LEFT JOIN record_effect AS effect ON effect.rec = record.rec
GROUP BY day_file.partner, day_file.key, day_file.batch;
