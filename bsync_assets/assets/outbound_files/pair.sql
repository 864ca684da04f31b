-- Every (ID, value) that is or was: held now, told before. A value that is held no more is taken back only while its mapping is
-- live, or for privacy (OUT-006). Reads `current`, `published`, `known_value`.
SELECT
    coalesce(current.id, published.id) AS id,
    coalesce(current.pos, published.pos) AS pos,
    current.id IS NOT NULL AS is_current,
    published.id IS NOT NULL AS is_published,
    current.id IS NULL AND (known_value.is_live OR published.is_private) AS is_removed
FROM current
FULL JOIN published ON published.id = current.id AND published.pos = current.pos
LEFT JOIN known_value ON known_value.pos = published.pos;
