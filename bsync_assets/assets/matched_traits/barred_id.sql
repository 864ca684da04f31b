-- IDs whose records are refused as opted out (INB-96): the ID itself opted out, or every device that it is linked to did.
-- Grain: one row per ID. Reads `opted_out`, `current_link`, `data_file`.
WITH
link AS NOT MATERIALIZED (
    SELECT
        dpid,
        id,
        device_dpid,
        device_id
    FROM current_link
    WHERE dpid IN (SELECT dpid FROM data_file WHERE resolve = 'linked')
),

-- IDs linked to some device that opted out: few, so that only their devices are counted
affected AS (
    SELECT DISTINCT
        link.dpid,
        link.id
    FROM link
    SEMI JOIN opted_out ON opted_out.dpid = link.device_dpid AND opted_out.id = link.device_id
),

without_device AS (
    SELECT
        link.dpid,
        link.id
    FROM link
    SEMI JOIN affected ON affected.dpid = link.dpid AND affected.id = link.id
    LEFT JOIN opted_out ON opted_out.dpid = link.device_dpid AND opted_out.id = link.device_id
    GROUP BY link.dpid, link.id
    HAVING bool_and(opted_out.id IS NOT NULL)
)

SELECT
    dpid,
    id
FROM opted_out
UNION
SELECT
    dpid,
    id
FROM without_device;
