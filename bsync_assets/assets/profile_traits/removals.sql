-- What each overwrite of the day that was never let in takes away of its target: neither by an operator, nor by an earlier run, which
-- has issued its receipt. Grain: one row per overwrite, its parts together, that takes away at least $at_least memberships.
-- Reads `day_file`, `record_effect`, `record`; $day.
WITH
open_file AS (
    SELECT *
    FROM day_file
    ANTI JOIN lake.main.receipts AS issued
        ON issued.day = $day
        AND issued.partner = day_file.partner
        AND issued.dpid = day_file.source
        AND issued.target = day_file.target
        AND issued.batch = day_file.batch
    WHERE is_overwrite AND NOT is_decided
)

SELECT
    open_file.unit,
    open_file.target,
    sum(effect.removed)::BIGINT AS removed
FROM record_effect AS effect
INNER JOIN record ON record.rec = effect.rec AND NOT record.is_late
INNER JOIN open_file ON open_file.file_id = record.file_id
GROUP BY open_file.unit, open_file.target
HAVING sum(effect.removed) >= $at_least;
