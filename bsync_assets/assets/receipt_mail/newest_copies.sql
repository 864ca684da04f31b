-- The files that each unsent message about copies still decides: those that no later one has a word about. Reads `due`.
WITH
told AS (
    SELECT
        message_id,
        day,
        partner,
        written_at,
        unnest(recipients) AS file
    FROM lake.main.mail_outbox
    WHERE channel = 'file' AND attempts = 0 AND day IN (SELECT day FROM due)
),

newest AS (
    SELECT
        file,
        arg_max(message_id, written_at) AS message_id
    FROM told
    GROUP BY day, partner, file
)

SELECT
    message_id,
    list(file) AS files
FROM newest
WHERE message_id IN (SELECT message_id FROM due)
GROUP BY message_id;
