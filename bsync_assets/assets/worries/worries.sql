-- What is not all right at the moment $now (UTC), and what to do about it. Grain: one row per thing, what needs a person first.
-- level: act = a person is needed, watch = good to know; check = the check in Dagster that it fails.
-- $destinations and $partners are those of the catalog; a destination that is called over HTTP has no deliveries.
WITH
finished AS (
    SELECT
        day,
        max(finished_at) AS finished_at
    FROM runs
    GROUP BY day
),

-- is_live: days are closed when they are over. A workspace that only ever ran old days is no day behind.
closed AS (
    SELECT
        max(day) AS day,
        coalesce(bool_or(finished_at < day + INTERVAL 3 DAY), false) AS is_live
    FROM finished
    WHERE finished_at >= day + INTERVAL 1 DAY
),

latest_receipts AS (
    SELECT
        day,
        partner,
        'source ' || dpid || ', target ' || target AS about,
        balanced
    FROM receipts
    QUALIFY row_number() OVER (PARTITION BY day, partner, dpid, target, batch ORDER BY revision DESC) = 1
    UNION ALL
    SELECT
        day,
        partner,
        file AS about,
        balanced
    FROM id_sync_receipts
    QUALIFY row_number() OVER (PARTITION BY day, partner, file, batch ORDER BY revision DESC) = 1
),

unbalanced AS (
    SELECT
        'receipts_balance' AS "check",
        'act' AS level,
        'receipt' AS kind,
        day,
        partner AS who,
        about || ': the figures do not add up' AS what,
        'bsync run --day ' || day || ' --partner ' || partner || '; if they still differ, it is a fault of bsync' AS remedy
    FROM latest_receipts
    WHERE NOT balanced
),

unsent AS (
    SELECT
        'nothing_stuck' AS "check",
        CASE WHEN status = 'failed' OR attempts >= 3 THEN 'act' ELSE 'watch' END AS level,
        CASE WHEN channel = 'file' THEN 'receipt copy' ELSE 'mail' END AS kind,
        day,
        partner AS who,
        format(
            '{} to {}{}, {} attempts: {}', kind, array_to_string(recipients[:3], ', '),
            CASE WHEN len(recipients) > 3 THEN format(' and {} more', len(recipients) - 3) ELSE '' END,
            attempts, coalesce(last_error, 'not tried yet')
        ) AS what,
        CASE
            WHEN status = 'failed' THEN 'refused for good: mend the address in catalog/partners.yaml'
            ELSE CASE WHEN channel = 'file' AND attempts >= 3 THEN 'bsync must be allowed to write there; ' ELSE '' END
                || 'the first run after ' || strftime(next_try, '%Y-%m-%d %H:%M') || ' tries again'
        END AS remedy
    FROM mail_outbox
    WHERE status <> 'sent'
),

held_files AS (
    SELECT
        'nothing_stuck' AS "check",
        'act' AS level,
        'held file' AS kind,
        day,
        partner AS who,
        format('{} would take away {:,} memberships of {}', "key", would_remove, target) AS what,
        'bsync release ' || "key" || ', or bsync retract' AS remedy
    FROM inbound_files
    WHERE status = 'held'
),

undone AS (
    SELECT
        'nothing_stuck' AS "check",
        'act' AS level,
        'decision' AS kind,
        files.day,
        files.partner AS who,
        format('{} was decided about by {}, and the day was not run since', any_value(files."key"), any_value(files.decided_by)) AS what,
        'bsync run --day ' || files.day AS remedy
    FROM inbound_files AS files
    LEFT JOIN finished ON finished.day = files.day
    WHERE files.decided_at > coalesce(finished.finished_at, DATE '0001-01-01')
    GROUP BY files.day, files.partner
),

-- A delivery is due at 14:00 on the day after its own (OUT-110). Days behind one that is open wait for it (OUT-103), and what a
-- new destination was never owed (OUT-072) is not late.
told AS (
    SELECT
        destination,
        max(day) AS day
    FROM deliveries
    GROUP BY destination
    HAVING bool_and(status = 'delivered')
),

owed AS (
    SELECT
        destination,
        day,
        status,
        why,
        attempts
    FROM deliveries
    WHERE status <> 'delivered'
    UNION ALL
    SELECT
        told.destination,
        min(finished.day) AS day,
        'not made' AS status,
        NULL AS why,
        0 AS attempts
    FROM told
    INNER JOIN finished ON finished.day > told.day AND finished.finished_at >= finished.day + INTERVAL 1 DAY
    GROUP BY told.destination
),

undelivered AS (
    SELECT
        'nothing_stuck' AS "check",
        CASE WHEN status = 'held' OR $now > day + INTERVAL '62 hours' THEN 'act' ELSE 'watch' END AS level,
        'delivery' AS kind,
        day,
        'destination ' || destination AS who,
        concat_ws(', ', status, why, CASE WHEN attempts > 0 THEN attempts || ' attempts' END, CASE
            WHEN $now > day + INTERVAL '38 hours' THEN 'late by ' || date_diff('hour', day + INTERVAL '38 hours', $now) || ' h'
        END) AS what,
        CASE status WHEN 'held' THEN 'bsync release ' || destination ELSE 'bsync outbound send -d ' || destination END AS remedy
    FROM owed
    WHERE list_contains($destinations, destination)
),

missing AS (
    SELECT
        'files_on_time' AS "check",
        'act' AS level,
        'missing files' AS kind,
        next_day AS day,
        partner AS who,
        format('nothing since {}; usually there is something every {} days', last_day, usual_gap) AS what,
        'ask the partner, or look whether its folder can be read' AS remedy
    FROM partner_rhythms
    WHERE is_missing AND list_contains($partners, partner)
),

unclosed AS (
    SELECT
        'files_on_time' AS "check",
        'act' AS level,
        'unclosed days' AS kind,
        closed.day + 1 AS day,
        'all' AS who,
        format('no day after {} was run when it was over; does the schedule run?', closed.day) AS what,
        format('bsync run --day {} --to {}', closed.day + 1, $now::DATE - 1) AS remedy
    FROM closed
    WHERE closed.is_live AND closed.day < ($now - INTERVAL 12 HOUR)::DATE - 1
),

unusual AS (
    SELECT
        'usual_volume' AS "check",
        'watch' AS level,
        'outlier' AS kind,
        day,
        partner AS who,
        format('source {}: {} is {:.0f}, usual are {:.0f} to {:.0f}', dpid, replace(figure, '_', ' '), value, low, high) AS what,
        format('bsync sql "FROM outliers WHERE dpid = {}"', dpid) AS remedy
    FROM outliers
    WHERE day = (SELECT max(day) FROM runs)
)

SELECT *
FROM (
    FROM unbalanced
    UNION ALL
    FROM unsent
    UNION ALL
    FROM held_files
    UNION ALL
    FROM undone
    UNION ALL
    FROM undelivered
    UNION ALL
    FROM missing
    UNION ALL
    FROM unclosed
    UNION ALL
    FROM unusual
) AS worries
ORDER BY level, day DESC, kind, who, what;
