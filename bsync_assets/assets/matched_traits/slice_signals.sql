-- Pairs of the slice that mean nothing to the target of their file, and how often they were sent (INB-84, INB-147).
-- Grain: partner, target, key and value. Keys in p_ are never written down (INB-85), those in d_ and h_ are ours (TRT-069).
-- Reads `unused_item(sender, item, hits)`, which leaves out what is seen less than ten times in a slice: that can hardly reach the
-- hundred that the report asks for. Reads also `sender`, `item`.
SELECT
    sender.partner,
    sender.target,
    item.key,
    item.value,
    sum(unused_item.hits)::BIGINT AS hits
FROM unused_item
INNER JOIN item ON item.item = unused_item.item
INNER JOIN (SELECT DISTINCT sender, partner, target FROM sender) AS sender ON sender.sender = unused_item.sender
WHERE item.kind IN ('kv', 'ic', 'bare') AND lower(left(item.key, 2)) NOT IN ('p_', 'd_', 'h_')
GROUP BY sender.partner, sender.target, item.key, item.value;
