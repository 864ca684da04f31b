-- Messages of the days up to this one that have not left yet. Grain: one row per message. Of $day.
SELECT
    day,
    partner,
    kind,
    recipients,
    status,
    attempts,
    last_error,
    next_try
FROM mail_outbox
WHERE day <= $day AND status <> 'sent'
ORDER BY ALL;
