-- What became of each accepted row: stored, opted out, or without a device (IDS-63, IDS-125).
-- Reads `pair`, `link_before`, `sighting`.
WITH
rows AS (
    SELECT DISTINCT
        row_no,
        partner,
        file,
        batch,
        line_no,
        format,
        is_direct,
        is_opted_out,
        master_dpid,
        master_id
    FROM pair
),

known_master AS (
    SELECT DISTINCT
        dpid,
        id
    FROM (
        SELECT dpid, id FROM link_before
        UNION ALL
        SELECT dpid, id FROM sighting
    ) AS known
)

SELECT
    rows.row_no,
    rows.partner,
    rows.file,
    rows.batch,
    rows.line_no,
    CASE
        WHEN rows.is_opted_out THEN 'opted_out'
        WHEN rows.format = 'c2c_id' OR rows.is_direct THEN 'stored'
        WHEN rows.row_no IN (SELECT row_no FROM sighting) THEN 'stored'
        WHEN known_master.id IS NOT NULL THEN 'opted_out'  -- it has devices, and all of them opted out
        ELSE 'no_matching_aam_id'
    END AS outcome
FROM rows
LEFT JOIN known_master ON known_master.dpid = rows.master_dpid AND known_master.id = rows.master_id;
