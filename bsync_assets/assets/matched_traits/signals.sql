-- The signals that mean something to the target of their file, with its context (INB-84). Grain: one row per occurrence.
-- Signals are the items of every record that is processed, well formed and not opted out (INB-129). Reads `meaningful`, the tokens
-- whose item has an effect.
SELECT
    countable.rec,
    countable.file,
    countable.context,
    countable.is_sound,
    meaningful.item
FROM meaningful
INNER JOIN countable ON countable.rec = meaningful.rec;
