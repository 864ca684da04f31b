-- How many lines of these files were not stored at the end of the day $as_of, by reason.
-- Reads `rejected`; $partner, $batch, $files.
SELECT
    file,
    reason,
    sum(lines)::BIGINT AS lines
FROM rejected
WHERE partner = $partner
    AND batch = $batch
    AND file IN (SELECT unnest($files))
    AND coalesce(stored_on > $as_of, true)
GROUP BY file, reason
ORDER BY file, reason;
