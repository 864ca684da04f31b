-- What became of the day's calls, for `id_sync_events`. Grain: one row per call.
-- A call that names somebody who opted out, before or at any time of the day, was not taken after all (PRV-026, PRV-029).
-- Reads `opt_outs_before`, `opt_out`, `captured`; $day.
WITH
barred AS (
    SELECT dpid, id FROM opt_outs_before
    UNION
    SELECT dpid, id FROM opt_out
),

named AS (
    SELECT
        event,
        0::BIGINT AS dpid,
        device AS id
    FROM captured
    WHERE device IS NOT NULL
    UNION ALL
    SELECT
        event,
        CAST(entry[1] AS BIGINT) AS dpid,
        entry[2] ->> '$' AS id
    FROM (SELECT event, unnest(ids) AS entry FROM captured) AS declared
),

opted_out AS (
    SELECT DISTINCT named.event
    FROM named
    INNER JOIN barred ON barred.dpid = named.dpid AND barred.id = named.id
)

SELECT
    CAST($day AS DATE) AS day,
    captured.event,
    captured.called_at,
    captured.call,
    CASE WHEN opted_out.event IS NULL THEN captured.outcome ELSE 'opted_out' END AS outcome,
    captured.errors,
    CASE WHEN opted_out.event IS NULL THEN captured.device END AS device_id,
    CASE WHEN opted_out.event IS NULL THEN captured."new" END AS is_new,
    CASE WHEN opted_out.event IS NULL THEN captured.redirect END AS redirect,
    CASE WHEN opted_out.event IS NULL THEN captured.syncs END AS syncs
FROM captured
LEFT JOIN opted_out ON opted_out.event = captured.event;
