-- Every message as it stands: the entry with most attempts.
SELECT
    message_id,
    coalesce(channel, 'mail') AS channel,
    day,
    partner,
    kind,
    dpid,
    target,
    dpids,
    batch,
    revision,
    balanced,
    recipients,
    status,
    attempts,
    last_error,
    next_try,
    written_at
FROM stored.mail_outbox
QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY attempts DESC) = 1;
