-- The signals that mean something to the target of their file, with its context (INB-84). Grain: one row per occurrence.
-- Signals are the items of every record that is processed, well formed and not opted out (INB-129).
SELECT
    countable.rec,
    countable.file,
    countable.context,
    countable.is_sound,
    token.item
FROM token
INNER JOIN countable ON countable.rec = token.rec
WHERE token.item IN (SELECT item FROM effect);
