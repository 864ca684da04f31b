-- The latest $days days run, partner by partner: what came, what was answered.
-- Grain: one row per day and partner of $partners.
WITH
days AS (
    SELECT DISTINCT day
    FROM runs
    ORDER BY day DESC
    LIMIT $days
),

files AS (
    SELECT
        day,
        partner,
        count(*) FILTER (status = 'accepted') AS accepted,
        count(*) FILTER (status = 'refused') AS refused,
        count(*) FILTER (status = 'duplicate') AS duplicate,
        count(*) FILTER (status = 'held') AS held,
        count(*) FILTER (status = 'retracted') AS retracted,
        count(*) FILTER (batch > 1) AS late
    FROM inbound_files
    GROUP BY day, partner
),

issued AS (
    SELECT day, partner, batch, dpid || '/' || target AS receipt, revision, balanced FROM receipts
    UNION ALL
    SELECT day, partner, batch, file AS receipt, revision, balanced FROM id_sync_receipts
),

latest AS (
    SELECT
        day,
        partner,
        balanced
    FROM issued
    QUALIFY row_number() OVER (PARTITION BY day, partner, batch, receipt ORDER BY revision DESC) = 1
),

answered AS (
    SELECT
        day,
        partner,
        count(*) AS receipts,
        count(*) FILTER (NOT balanced) AS unbalanced
    FROM latest
    GROUP BY day, partner
),

unsent AS (
    SELECT
        day,
        partner,
        count(*) AS mails
    FROM mail_outbox
    WHERE status <> 'sent'
    GROUP BY day, partner
)

SELECT
    days.day,
    who.partner,
    coalesce(files.accepted, 0) AS accepted,
    coalesce(files.refused, 0) AS refused,
    coalesce(files.duplicate, 0) AS duplicate,
    coalesce(files.held, 0) AS held,
    coalesce(files.retracted, 0) AS retracted,
    coalesce(files.late, 0) AS late,
    coalesce(answered.receipts, 0) AS receipts,
    coalesce(answered.unbalanced, 0) AS unbalanced,
    coalesce(unsent.mails, 0) AS unsent,
    files.day IS NULL AS missing
FROM days
CROSS JOIN unnest(CAST($partners AS VARCHAR[])) AS who (partner)
LEFT JOIN files ON files.day = days.day AND files.partner = who.partner
LEFT JOIN answered ON answered.day = days.day AND answered.partner = who.partner
LEFT JOIN unsent ON unsent.day = days.day AND unsent.partner = who.partner
ORDER BY days.day, who.partner;
