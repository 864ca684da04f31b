-- Who would be reached by the rules that nearly used a pair: matched users of the slice that sent it. Grain: one row per pair and
-- user, who stands there as a hash. Reads `near_token(rec, item)`, `near_miss`, `data_file`, `item`, `resolved`.
SELECT DISTINCT
    data_file.partner,
    data_file.target,
    item.key,
    item.value,
    hash(resolved.user_id) AS user_hash
FROM near_token
INNER JOIN item ON item.item = near_token.item
INNER JOIN resolved ON resolved.rec = near_token.rec
INNER JOIN data_file ON data_file.file = resolved.file
INNER JOIN near_miss ON near_miss.target = data_file.target AND near_miss.key = item.key AND near_miss.value = item.value
WHERE resolved.reject IS NULL;
