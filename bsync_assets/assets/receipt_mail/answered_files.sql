-- Which documents speak of each file of the days $days: their kind and what tells them from others of the batch. A file that is
-- or was held is on the notice of refused files, and on the receipt once there is one.
WITH
files AS (
    SELECT
        *,
        status = 'refused' OR coalesce(would_remove, 0) > 0 AS is_on_notice,
        status IN ('accepted', 'held', 'retracted') AS is_on_receipt
    FROM lake.main.inbound_files
    WHERE list_contains($days, day)
),

documents AS (
    SELECT
        'refused' AS kind,
        day,
        partner,
        batch,
        0 AS dpid,
        NULL AS target,
        [] AS dpids,
        key,
        arrived_at
    FROM files
    WHERE is_on_notice
    UNION ALL
    SELECT
        family AS kind,
        day,
        partner,
        batch,
        dpid,
        CASE WHEN family = 'data' THEN target END AS target,
        CASE WHEN family = 'id_sync' THEN [dpid] || dpids ELSE [] END AS dpids,
        key,
        arrived_at
    FROM files
    WHERE is_on_receipt
)

SELECT * EXCLUDE (arrived_at)
FROM documents
ORDER BY arrived_at, key;
