-- Files that came after their day had been picked up first. Grain: one row per file. Of $day.
SELECT
    partner,
    key,
    batch,
    lines
FROM inbound_files
WHERE day = $day AND status = 'accepted' AND batch > 1
ORDER BY partner, key;
