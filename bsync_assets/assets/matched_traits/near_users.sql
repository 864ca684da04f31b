-- Who would be reached by the rules that nearly used a pair: matched users of the slice that sent it. Grain: one row per pair and
-- user, who stands there as a hash.
SELECT DISTINCT
    data_file.partner,
    data_file.target,
    item.key,
    item.value,
    hash(verdict.user_id) AS user_hash
FROM near_miss
INNER JOIN item ON item.key = near_miss.key AND item.value = near_miss.value
INNER JOIN token ON token.item = item.item
INNER JOIN countable ON countable.rec = token.rec
INNER JOIN verdict ON verdict.rec = token.rec
INNER JOIN data_file ON data_file.file = verdict.file AND data_file.target = near_miss.target
WHERE countable.is_matched;
