-- The record that last set a trait of the profile (dpid, id), and the one that last took it away, up to the end of $day.
-- Grain: one row per trait and operation. A device gets traits by records of IDs that are linked to it.
-- Reads `link`; $dpid, $id, $traits.
WITH
names AS (
    SELECT
        $dpid::BIGINT AS dpid,
        $id::VARCHAR AS id
    UNION
    SELECT
        dpid,
        id
    FROM link
    WHERE device_dpid = $dpid AND device_id = $id
)

SELECT
    operations.trait_id,
    operations.operation,
    operations.day,
    files.key AS file,
    operations.line_no AS line,
    records.dpid,
    records.id
FROM lake.main.trait_operations AS operations
INNER JOIN lake.main.stored_records AS records
    ON records.day = operations.day AND records.file_id = operations.file_id AND records.line_no = operations.line_no
SEMI JOIN names ON names.dpid = records.dpid AND names.id = records.id
INNER JOIN lake.main.inbound_files AS files ON files.day = operations.day AND files.file_id = operations.file_id
WHERE list_contains($traits, operations.trait_id) AND operations.day <= $day
QUALIFY row_number() OVER (
    PARTITION BY operations.trait_id, operations.operation
    ORDER BY operations.day DESC, operations.file_id DESC, operations.line_no DESC
) = 1;
