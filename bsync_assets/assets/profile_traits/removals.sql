-- What each overwrite of the day that no operator let in takes away of its target; the parts of one are one. Grain: one row per
-- overwrite that takes away at least $at_least memberships.
SELECT
    day_file.unit,
    day_file.target,
    sum(effect.removed)::BIGINT AS removed
FROM record_effect AS effect
INNER JOIN record ON record.rec = effect.rec AND NOT record.is_late
INNER JOIN day_file ON day_file.file_id = record.file_id
WHERE day_file.is_overwrite AND NOT day_file.is_decided
GROUP BY day_file.unit, day_file.target
HAVING sum(effect.removed) >= $at_least;
