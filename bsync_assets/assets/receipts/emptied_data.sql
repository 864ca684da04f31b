-- Receipts of the day $origin of which no file is read any more at the end of $day. Grain: partner, source, target, batch.
SELECT DISTINCT
    partner,
    dpid,
    target,
    batch
FROM lake.main.receipts AS issued
WHERE day = $origin
    AND as_of <= $day
    AND NOT EXISTS (
        FROM lake.main.data_figures AS data
        WHERE data.day = issued.day
            AND data.partner = issued.partner
            AND data.dpid = issued.dpid
            AND data.target = issued.target
            AND data.batch = issued.batch
    )
ORDER BY ALL;
