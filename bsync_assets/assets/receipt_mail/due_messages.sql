-- Messages that somebody still has to get: the latest entry of each, if it is due and its next try has come by $now (UTC).
SELECT * REPLACE (coalesce(channel, 'mail') AS channel)
FROM (
    SELECT *
    FROM lake.main.mail_outbox
    QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY attempts DESC) = 1
) AS latest
WHERE status = 'due' AND next_try <= coalesce($now, next_try)
ORDER BY day, partner, kind, dpid, target, dpids, batch, revision, message_id;
