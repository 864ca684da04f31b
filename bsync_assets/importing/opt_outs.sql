-- Opt-outs as of the import, each with the first time it was asked for. Grain: one row per ID. Reads `before`, `said_opt_out`.
SELECT
    dpid,
    id,
    min(opted_out_at) AS opted_out_at
FROM (
    SELECT * FROM before
    UNION ALL BY NAME
    SELECT
        dpid,
        id,
        "at" AS opted_out_at
    FROM said_opt_out
)
GROUP BY dpid, id;
