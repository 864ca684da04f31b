-- Figures of the ID-sync files of $day, with the namespaces of their columns: files of one list share a message (IDS-145).
SELECT
    figures.*,
    [manifest.dpid] || manifest.dpids AS dpids
FROM lake.main.id_sync_figures AS figures
INNER JOIN lake.main.inbound_files AS manifest
    ON manifest.day = figures.day
    AND manifest.partner = figures.partner
    AND manifest.key = figures.file
    AND manifest.batch = figures.batch
    AND manifest.status = 'accepted'
WHERE figures.day = $day
ORDER BY figures.partner, figures.file, figures.batch;
