-- Figures per file of the ID-sync receipts of the day $day, in every revision. Files of a partner's batch with the same list of
-- namespaces share a message (IDS-145).
SELECT
    receipts.file AS name,
    manifest.reject_reason,
    [manifest.dpid] || manifest.dpids AS dpids,
    receipts.* EXCLUDE (file)
FROM lake.main.id_sync_receipts AS receipts
INNER JOIN lake.main.inbound_files AS manifest
    ON manifest.day = receipts.day
    AND manifest.partner = receipts.partner
    AND manifest.key = receipts.file
    AND manifest.batch = receipts.batch
WHERE receipts.day = $day
ORDER BY manifest.arrived_at, receipts.file, receipts.revision;
