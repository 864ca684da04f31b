-- The day's new opt-outs, for the change set of `opt_outs`. Grain: one row per ID.
-- A declared ID whose device the service did not know goes with the one it was last linked to the day before (PRV-022, PRV-023).
-- Reads `captured`, `links_before`, `opt_outs_before`.
WITH
asked AS (
    SELECT
        called_at,
        unnest(opt_outs) AS entry
    FROM captured
),

unlinked AS (
    SELECT
        called_at,
        unnest(unlinked) AS entry
    FROM captured
),

named AS (
    SELECT
        called_at,
        CAST(entry[1] AS BIGINT) AS dpid,
        entry[2] ->> '$' AS id,
        entry[3] ->> '$' AS kind
    FROM asked
),

devices AS (
    SELECT
        unlinked.called_at,
        links.device_dpid AS dpid,
        links.device_id AS id,
        unlinked.entry[3] ->> '$' AS kind
    FROM unlinked
    INNER JOIN links_before AS links
        ON links.dpid = CAST(unlinked.entry[1] AS BIGINT) AND links.id = (unlinked.entry[2] ->> '$')
    QUALIFY row_number() OVER (
        PARTITION BY links.dpid, links.id, unlinked.called_at
        ORDER BY links.last_seen DESC, links.seq DESC, links.device_dpid, links.device_id
    ) = 1
)

SELECT
    dpid,
    id,
    min(called_at) AS opted_out_at,
    arg_min(kind, called_at) AS kind,
    'added' AS change,
    NULL::VARCHAR AS reason
FROM (FROM named UNION ALL FROM devices) AS entries
ANTI JOIN opt_outs_before USING (dpid, id)
GROUP BY dpid, id;
