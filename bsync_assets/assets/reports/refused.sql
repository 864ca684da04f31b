-- Files of the day $day that were not taken in. Grain: one row per entry of the manifest.
SELECT
    partner,
    key,
    status,
    reject_reason
FROM inbound_files
WHERE day = $day AND status <> 'accepted'
ORDER BY status DESC, partner, key;
