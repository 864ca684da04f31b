-- Pairs of the slice that mean nothing to the target of their file, and how often they were sent (INB-84, INB-147).
-- Grain: partner, target, key and value. Keys in p_ are never written down (INB-85), those in d_ and h_ are ours (TRT-069).
-- The dictionary knows how often each item occurs: that is the count of the sender of most records, less what other records said.
-- So the signals of a large file are not counted one by one. What is seen less than ten times in a slice can hardly reach the
-- hundred that the report asks for: it is left out.
WITH
candidate AS MATERIALIZED (
    SELECT
        item,
        key,
        value,
        hits
    FROM item
    WHERE hits >= 10 AND kind IN ('kv', 'ic', 'bare') AND lower(left(key, 2)) NOT IN ('p_', 'd_', 'h_')
),

sender AS (
    SELECT
        file,
        partner,
        context,
        target,
        dense_rank() OVER (ORDER BY partner, context) AS sender
    FROM data_file
),

main AS (
    SELECT sender.sender
    FROM countable
    INNER JOIN sender ON sender.file = countable.file
    GROUP BY sender.sender
    ORDER BY count(*) DESC, sender.sender
    LIMIT 1
),

other_records AS MATERIALIZED (
    SELECT
        verdict.rec,
        sender.sender
    FROM verdict
    LEFT JOIN countable ON countable.rec = verdict.rec
    LEFT JOIN sender ON sender.file = countable.file
    WHERE sender.sender IS DISTINCT FROM (SELECT sender FROM main)
),

others AS (
    SELECT
        token.item,
        other_records.sender,
        count(*) AS hits
    FROM token
    INNER JOIN other_records ON other_records.rec = token.rec
    GROUP BY token.item, other_records.sender
),

said AS (
    SELECT
        candidate.item,
        main.sender,
        candidate.hits - coalesce(less.hits, 0) AS hits
    FROM candidate
    CROSS JOIN main
    LEFT JOIN (SELECT item, sum(hits) AS hits FROM others GROUP BY item) AS less ON less.item = candidate.item
    UNION ALL
    SELECT
        item,
        sender,
        hits
    FROM others
    WHERE sender IS NOT NULL
),

unused AS (
    SELECT
        said.item,
        said.hits,
        whose.partner,
        whose.target
    FROM said
    INNER JOIN (SELECT DISTINCT sender, partner, context, target FROM sender) AS whose ON whose.sender = said.sender
    ANTI JOIN (SELECT item, context FROM effect WHERE effect <> 'failed') AS used
        ON used.item = said.item AND used.context = whose.context
    WHERE said.hits > 0
)

SELECT
    unused.partner,
    unused.target,
    candidate.key,
    candidate.value,
    sum(unused.hits)::BIGINT AS hits
FROM unused
INNER JOIN candidate ON candidate.item = unused.item
GROUP BY unused.partner, unused.target, candidate.key, candidate.value;
