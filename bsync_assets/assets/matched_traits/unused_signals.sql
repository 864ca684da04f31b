-- The day's pairs that no rule used, sent a hundred times and more by one partner for one target (INB-147), for `unused_signals`.
-- An empty value is shown as 1 (INB-59). Reads `slice_signal`, `near_signal`, `near_user`; $day.
WITH
sent AS (
    SELECT
        partner,
        target,
        key,
        value,
        sum(hits)::BIGINT AS hits
    FROM slice_signal
    GROUP BY partner, target, key, value
    HAVING sum(hits) >= 100
),

near AS (
    SELECT DISTINCT
        target,
        key,
        value,
        trait_id,
        change
    FROM near_signal
),

reached AS (
    SELECT
        partner,
        target,
        key,
        value,
        count(DISTINCT user_hash) AS users
    FROM near_user
    GROUP BY partner, target, key, value
)

SELECT
    CAST($day AS DATE) AS day,
    sent.partner,
    sent.target,
    sent.key,
    CASE WHEN sent.value = '' THEN '1' ELSE sent.value END AS value,
    sent.hits,
    near.trait_id,
    near.change,
    CASE WHEN near.trait_id IS NOT NULL THEN coalesce(reached.users, 0) END AS users
FROM sent
LEFT JOIN near ON near.target = sent.target AND near.key = sent.key AND near.value = sent.value
LEFT JOIN reached
    ON reached.partner = sent.partner
        AND reached.target = sent.target
        AND reached.key = sent.key
        AND reached.value = sent.value;
