-- Pairs of the slice that mean nothing to the target of their file, and how often they were sent (INB-84, INB-147).
-- Grain: partner, target, key and value. Keys in p_ are never written down (INB-85), those in d_ and h_ are ours (TRT-069).
-- The dictionary knows how often each item occurs. That is the count of the sender of most records, less what others and records
-- that do not count said: so the signals of a large file are not counted one by one. Pairs seen less than ten times in a slice
-- can hardly reach the hundred that a report asks for: they are left out.
WITH
sender AS (
    SELECT
        file,
        partner,
        context,
        target,
        dense_rank() OVER (ORDER BY partner, context) AS sender
    FROM data_file
),

speaker AS (
    SELECT
        verdict.rec,
        sender.sender
    FROM verdict
    LEFT JOIN countable ON countable.rec = verdict.rec
    LEFT JOIN sender ON sender.file = countable.file
),

main AS (
    SELECT sender
    FROM speaker
    WHERE sender IS NOT NULL
    GROUP BY sender
    ORDER BY count(*) DESC
    LIMIT 1
),

others AS (
    SELECT
        token.item,
        speaker.sender,
        count(*) AS hits
    FROM token
    INNER JOIN speaker ON speaker.rec = token.rec
    WHERE speaker.sender IS DISTINCT FROM (SELECT sender FROM main)
    GROUP BY token.item, speaker.sender
),

said AS (
    SELECT
        item.item,
        main.sender,
        item.hits - coalesce(less.hits, 0) AS hits
    FROM item
    CROSS JOIN main
    LEFT JOIN (SELECT item, sum(hits) AS hits FROM others GROUP BY item) AS less ON less.item = item.item
    UNION ALL
    SELECT
        item,
        sender,
        hits
    FROM others
    WHERE sender IS NOT NULL
)

SELECT
    whose.partner,
    whose.target,
    item.key,
    item.value,
    sum(said.hits)::BIGINT AS hits
FROM said
INNER JOIN item ON item.item = said.item
INNER JOIN (SELECT DISTINCT sender, partner, context, target FROM sender) AS whose ON whose.sender = said.sender
WHERE item.kind IN ('kv', 'ic', 'bare')
    AND said.hits > 0
    AND lower(left(item.key, 2)) NOT IN ('p_', 'd_', 'h_')
    AND (said.item, whose.context) NOT IN (SELECT (item, context) FROM effect WHERE effect <> 'failed')
GROUP BY whose.partner, whose.target, item.key, item.value
HAVING sum(said.hits) >= 10;
