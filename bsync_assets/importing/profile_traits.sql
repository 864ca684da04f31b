-- Traits that profiles hold as of the import. Grain: one row per profile and trait.
-- A realization at or after the end of the life before begins a new one (TRT-084); what ended before the first day is gone.
-- Reads `before`, `said_trait`, `trait`.
WITH
realized AS (
    SELECT
        dpid,
        id,
        trait_id,
        first_realized AS since,
        last_realized AS realized_at
    FROM before
    UNION ALL
    SELECT
        dpid,
        id,
        trait_id,
        realized_at AS since,
        realized_at
    FROM said_trait
),

in_order AS (
    SELECT
        realized.*,
        trait.data_source,
        trait.ttl_days,
        coalesce(
            realized.since >= expires_at(lag(realized.realized_at) OVER earlier, trait.ttl_days),
            lag(realized.realized_at) OVER earlier IS NULL
        ) AS begins
    FROM realized
    INNER JOIN trait ON trait.trait_id = realized.trait_id
    WINDOW earlier AS (PARTITION BY realized.dpid, realized.id, realized.trait_id ORDER BY realized.realized_at)
),

lives AS (
    SELECT
        *,
        sum(CASE WHEN begins THEN 1 ELSE 0 END)
            OVER (PARTITION BY dpid, id, trait_id ORDER BY realized_at ROWS UNBOUNDED PRECEDING) AS life
    FROM in_order
),

latest AS (
    SELECT *
    FROM lives
    QUALIFY life = max(life) OVER (PARTITION BY dpid, id, trait_id)
)

SELECT
    dpid,
    id,
    trait_id,
    data_source,
    min(since) AS first_realized,
    max(realized_at) AS last_realized,
    expires_at(max(realized_at), ttl_days) AS expires_at
FROM latest
GROUP BY dpid, id, trait_id, data_source, ttl_days
HAVING coalesce(expires_at(max(realized_at), ttl_days) > getvariable('start'), true);
