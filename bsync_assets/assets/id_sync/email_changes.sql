-- The day's change set of `email_links`. Reads `email_ranked`.
SELECT
    dpid,
    id,
    email_dpid,
    hash,
    last_seen,
    seq,
    CASE WHEN is_evicted THEN 'removed' WHEN was_known THEN 'renewed' ELSE 'added' END AS change,
    CASE WHEN is_evicted THEN 'over_limit' END AS reason
FROM email_ranked
WHERE CASE WHEN is_evicted THEN was_known ELSE last_row IS NOT NULL END;
