-- IDs that have a link or an opt-out at the end of the day, of the namespaces that the day's files use.
-- Reads `opted_out`, `current_link`, `data_file`.
WITH
links AS (
    SELECT
        link.dpid,
        link.id,
        bool_and(opted_out.id IS NOT NULL) AS is_barred
    FROM current_link AS link
    LEFT JOIN opted_out ON opted_out.dpid = link.device_dpid AND opted_out.id = link.device_id
    WHERE link.dpid IN (SELECT dpid FROM data_file)
    GROUP BY link.dpid, link.id
)

SELECT
    coalesce(links.dpid, opted_out.dpid) AS dpid,
    coalesce(links.id, opted_out.id) AS id,
    links.id IS NOT NULL AS is_linked,
    opted_out.id IS NOT NULL
        OR (links.is_barred AND links.dpid IN (SELECT dpid FROM data_file WHERE resolve = 'linked')) AS is_barred
FROM links
FULL JOIN opted_out ON opted_out.dpid = links.dpid AND opted_out.id = links.id;
