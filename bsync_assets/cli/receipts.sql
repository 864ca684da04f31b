-- Receipts of the days $first to $last as the terminal shows them: the latest revision of each, data and ID sync.
WITH
latest AS (
    SELECT *
    FROM receipts
    WHERE day BETWEEN $first AND $last
    QUALIFY row_number() OVER (PARTITION BY day, partner, dpid, target, batch ORDER BY revision DESC) = 1
),

latest_sync AS (
    SELECT *
    FROM id_sync_receipts
    WHERE day BETWEEN $first AND $last
    QUALIFY row_number() OVER (PARTITION BY day, partner, file, batch ORDER BY revision DESC) = 1
)

SELECT
    day,
    partner,
    dpid || '/' || target AS receipt,
    batch,
    revision,
    records_received AS received,
    format_errors AS format,
    invalid_aam_id + invalid_device_id AS "bad ID",
    opted_out AS "opted out",
    no_matching_aam_id AS "no match",
    no_trait_realized AS "no trait",
    stored_records AS stored,
    CASE WHEN balanced THEN 'yes' ELSE 'NO' END AS balanced
FROM latest
UNION ALL
SELECT
    day,
    partner,
    parse_filename(file) AS receipt,
    batch,
    revision,
    records_received AS received,
    format_errors AS format,
    invalid_aam_id + invalid_device_id AS "bad ID",
    opted_out AS "opted out",
    no_matching_aam_id AS "no match",
    0 AS "no trait",
    stored_records AS stored,
    CASE WHEN balanced THEN 'yes' ELSE 'NO' END AS balanced
FROM latest_sync
ORDER BY day, partner, receipt, batch;
