-- Units that satisfy a segment -> the profiles in them: (key, profile) (SEG-005). Reads `satisfied(key, unit)` and `place`.
SELECT
    satisfied.key,
    place.profile
FROM satisfied
INNER JOIN place ON place.unit = satisfied.unit;
