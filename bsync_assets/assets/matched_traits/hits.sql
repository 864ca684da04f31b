-- Signals that name a trait, realize one by themselves, or anchor a rule, for the target of their file.
-- Grain: one row per signal and effect.
SELECT
    signal.rec,
    signal.file,
    signal.is_sound,
    effect.effect,
    effect.trait_id
FROM signal
INNER JOIN effect ON effect.item = signal.item AND effect.context = signal.context
WHERE effect.effect <> 'term';
