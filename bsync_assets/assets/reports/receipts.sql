-- Receipts that the run of the day issued, for its own files or as a revision for an earlier day. Grain: one row per receipt.
-- Of $day.
WITH
issued AS (
    SELECT
        'data' AS kind,
        dpid || '/' || target AS receipt,
        * EXCLUDE (run_id, job_start, job_end)
    FROM receipts
    WHERE as_of = $day
    UNION ALL BY NAME
    SELECT
        'id_sync' AS kind,
        parse_filename(sync.file) AS receipt,
        sync.* EXCLUDE (run_id, file, job_start, job_end),
        manifest.dpid,
        list_prepend(manifest.dpid, manifest.dpids) AS dpids
    FROM id_sync_receipts AS sync
    LEFT JOIN inbound_files AS manifest
        ON manifest.day = sync.day
            AND manifest.partner = sync.partner
            AND manifest.key = sync.file
            AND manifest.batch = sync.batch
            AND manifest.status = 'accepted'
    WHERE sync.as_of = $day
),

latest AS (
    SELECT *
    FROM issued
    QUALIFY row_number() OVER (PARTITION BY day, partner, kind, receipt, batch ORDER BY revision DESC) = 1
),

mails AS (
    SELECT
        day,
        partner,
        kind,
        dpid,
        target,
        coalesce(dpids, []) AS dpids,
        batch,
        revision,
        CASE
            WHEN bool_or(status = 'failed') THEN 'failed'
            WHEN bool_or(status = 'due') THEN 'due'
            ELSE 'sent'
        END AS mail
    FROM mail_outbox
    WHERE day IN (SELECT day FROM latest)
    GROUP BY ALL
)

SELECT
    latest.day,
    latest.partner,
    latest.receipt,
    latest.batch,
    latest.revision,
    latest.records_received,
    latest.stored_records,
    latest.no_matching_aam_id,
    latest.balanced,
    latest.why,
    coalesce(max(mails.mail), 'none') AS mail
FROM latest
LEFT JOIN mails
    ON mails.day = latest.day
        AND mails.partner = latest.partner
        AND mails.kind = latest.kind
        AND mails.batch = latest.batch
        AND mails.revision = latest.revision
        AND mails.dpid IS NOT DISTINCT FROM latest.dpid
        AND mails.target IS NOT DISTINCT FROM latest.target
        AND mails.dpids = coalesce(latest.dpids, [])
GROUP BY ALL
ORDER BY latest.balanced, latest.day DESC, latest.partner, latest.receipt, latest.batch;
