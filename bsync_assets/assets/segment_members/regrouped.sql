-- Removed members that are no longer merged with a profile they were merged with. Reads `companion`, `merged_now`.
WITH
together AS (
    SELECT
        own.dpid,
        own.id,
        other.dpid AS with_dpid,
        other.id AS with_id
    FROM merged_now AS own
    INNER JOIN merged_now AS other ON other.unit_dpid = own.unit_dpid AND other.unit_id = own.unit_id
    SEMI JOIN companion ON companion.dpid = own.dpid AND companion.id = own.id
)

SELECT DISTINCT
    companion.dpid,
    companion.id
FROM companion
ANTI JOIN together USING (dpid, id, with_dpid, with_id)
WHERE companion.dpid <> companion.with_dpid OR companion.id <> companion.with_id;
