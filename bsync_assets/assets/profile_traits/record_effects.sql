-- What each record took away, and the devices it did not reach because they are unknown or inactive (INB-95, INB-131).
-- Grain: one row per record with either. Reads `loss`, `record`, `holder`.
WITH
removed AS (
    SELECT
        rec,
        count(*) AS removed
    FROM loss
    GROUP BY rec
),

unreached AS (
    SELECT
        record.rec,
        count(*) AS inactive
    FROM record
    INNER JOIN holder ON holder.user_no = record.user_no
    WHERE NOT holder.is_active
    GROUP BY record.rec
)

SELECT
    coalesce(removed.rec, unreached.rec) AS rec,
    coalesce(removed.removed, 0) AS removed,
    coalesce(unreached.inactive, 0) AS inactive
FROM removed
FULL JOIN unreached ON unreached.rec = removed.rec;
