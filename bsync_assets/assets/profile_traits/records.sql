-- Records that act on profiles today: the day's own, and kept ones of earlier days whose ID got its first link (INB-91).
-- Grain: one row per record. `unit` is the order in which they act: kept ones first, then files by arrival; the parts of an
-- overwrite are one unit (INB-105, INB-155). A kept overwrite only adds: what it would clear is newer than itself.
-- Reads `day_file`, `opted_out`, `keeping`; $day.
WITH
own AS (
    SELECT
        $day::DATE AS origin_day,
        stored.partner,
        stored.file_id,
        stored.line_no,
        stored.dpid,
        stored.id,
        day_file.unit,
        day_file.is_overwrite,
        day_file.target,
        day_file.seen_at,
        false AS is_late
    FROM lake.main.stored_records AS stored
    INNER JOIN day_file ON day_file.file_id = stored.file_id
    WHERE stored.day = $day AND stored.matched
),

newly_linked AS (
    SELECT DISTINCT
        changes.dpid,
        changes.id
    FROM lake.main.id_links_changes AS changes
    ANTI JOIN opted_out ON opted_out.dpid = changes.dpid AND opted_out.id = changes.id
    WHERE changes.day = $day AND changes.change = 'added'
),

kept AS (
    SELECT
        stored.day AS origin_day,
        stored.partner,
        stored.file_id,
        stored.line_no,
        stored.dpid,
        stored.id,
        dense_rank() OVER (ORDER BY stored.day, manifest.arrived_at, manifest.key, manifest.file_id) - 1000000000 AS unit,
        false AS is_overwrite,
        manifest.target,
        least(greatest(manifest.arrived_at, stored.day::TIMESTAMP), stored.day::TIMESTAMP + INTERVAL '86399999999 microseconds')
            AS seen_at,
        true AS is_late
    FROM lake.main.stored_records AS stored
    INNER JOIN newly_linked ON newly_linked.dpid = stored.dpid AND newly_linked.id = stored.id
    INNER JOIN lake.main.inbound_files AS manifest
        ON manifest.day = stored.day AND manifest.file_id = stored.file_id AND manifest.status = 'accepted'
    INNER JOIN keeping ON keeping.dpid = manifest.dpid
    ANTI JOIN lake.main.late_matches AS earlier
        ON earlier.day < $day AND earlier.file_id = stored.file_id AND earlier.line_no = stored.line_no
    WHERE NOT stored.matched
        AND stored.day < $day
        AND stored.day >= $day::DATE - keeping.days
)

SELECT
    row_number() OVER () AS rec,
    dense_rank() OVER (ORDER BY dpid, id) AS user_no,
    *
FROM (
    FROM own
    UNION ALL
    FROM kept
) AS acting;
