-- Profiles whose membership may have changed: those touched, and those merged with one before or now.
-- Reads `touched`, `merged_before`, `merged_now`.
WITH
merged AS (
    FROM merged_before
    UNION ALL
    FROM merged_now
)

SELECT
    dpid,
    id
FROM touched
UNION
SELECT
    companion.dpid,
    companion.id
FROM touched
INNER JOIN merged AS own ON own.dpid = touched.dpid AND own.id = touched.id
INNER JOIN merged AS companion ON companion.unit_dpid = own.unit_dpid AND companion.unit_id = own.unit_id;
