-- The items that count as signals: every item but empty ones of every record that is processed, well formed and not opted out
-- (INB-129), with the context of its file. Grain: one row per occurrence.
SELECT
    countable.rec,
    countable.file,
    countable.context,
    countable.is_sound,
    token.item
FROM token
INNER JOIN countable ON countable.rec = token.rec
WHERE token.item NOT IN (SELECT item FROM item WHERE kind = 'empty');
