-- The day's change set of `id_links`. Reads `link_ranked`.
SELECT
    dpid,
    id,
    device_dpid,
    device_id,
    first_seen,
    last_seen,
    seq,
    origin,
    CASE WHEN is_evicted THEN 'removed' WHEN was_known THEN 'renewed' ELSE 'added' END AS change,
    CASE WHEN is_evicted THEN 'over_limit' END AS reason
FROM link_ranked
WHERE CASE WHEN is_evicted THEN was_known ELSE last_row IS NOT NULL END;
