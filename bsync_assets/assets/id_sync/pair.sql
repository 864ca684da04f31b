-- The day's accepted pairs with the number of their row, and whether the row names an opted-out ID (IDS-125).
-- Reads `opted_out`, `device_dpid`; $day.
WITH
pairs AS (
    SELECT
        *,
        dense_rank() OVER (ORDER BY file_no, line_no) AS row_no
    FROM lake.main.id_sync_pairs
    WHERE day = $day
),

named AS (
    SELECT
        row_no,
        master_dpid AS dpid,
        master_id AS id
    FROM pairs
    UNION ALL
    SELECT
        row_no,
        dpid,
        id
    FROM pairs
),

barred AS (
    SELECT DISTINCT named.row_no
    FROM named
    INNER JOIN opted_out ON opted_out.dpid = named.dpid AND opted_out.id = named.id
)

SELECT
    pairs.*,
    barred.row_no IS NOT NULL AS is_opted_out,
    pairs.master_dpid IN (FROM device_dpid) AS is_direct
FROM pairs
LEFT JOIN barred ON barred.row_no = pairs.row_no;
