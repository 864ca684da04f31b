-- Receipts of ID-sync files of the day $day that are not read any more. Grain: partner, file, batch.
SELECT DISTINCT
    issued.day,
    issued.partner,
    issued.file,
    issued.batch,
    [manifest.dpid] || manifest.dpids AS dpids
FROM lake.main.id_sync_receipts AS issued
INNER JOIN lake.main.inbound_files AS manifest
    ON manifest.day = issued.day
    AND manifest.partner = issued.partner
    AND manifest.key = issued.file
    AND manifest.batch = issued.batch
    AND manifest.status <> 'accepted'
WHERE issued.day = $day
ORDER BY ALL;
