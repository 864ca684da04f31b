-- Figures per file of one revision of an ID-sync receipt: all files of a partner's batch with the same list of namespaces (IDS-145).
SELECT
    receipts.file AS name,
    manifest.reject_reason,
    receipts.* EXCLUDE (file)
FROM lake.main.id_sync_receipts AS receipts
INNER JOIN lake.main.inbound_files AS manifest
    ON manifest.day = receipts.day
    AND manifest.partner = receipts.partner
    AND manifest.key = receipts.file
    AND manifest.batch = receipts.batch
WHERE receipts.day = $day
    AND receipts.partner = $partner
    AND receipts.batch = $batch
    AND [manifest.dpid] || manifest.dpids = $dpids
    AND receipts.revision <= $revision
QUALIFY row_number() OVER (PARTITION BY receipts.file ORDER BY receipts.revision DESC) = 1
ORDER BY manifest.arrived_at, receipts.file;
