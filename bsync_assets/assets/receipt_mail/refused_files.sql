-- Files of the day $day on the notices of refused files: those refused, and those that are or were held (INB-136).
SELECT
    partner,
    batch,
    key AS name,
    coalesce(reject_reason, 'removes_too_much') AS reject_reason,
    arrived_at
FROM lake.main.inbound_files
WHERE day = $day AND (status = 'refused' OR would_remove > 0)
ORDER BY arrived_at, key;
