-- How often rule-based traits were realized in the life they have as of the import, per UTC date (TRT-067, TRT-084).
-- Grain: one row per profile, trait and date. Reads `merged_profile_traits`, `before`, `said_trait`, `trait`.
WITH
realized AS (
    SELECT
        dpid,
        id,
        trait_id,
        date,
        count
    FROM before
    UNION ALL
    SELECT
        dpid,
        id,
        trait_id,
        CAST(realized_at AS DATE) AS date,
        count
    FROM said_trait
    WHERE trait_id IN (SELECT trait_id FROM trait WHERE kind = 'rule')
)

SELECT
    realized.dpid,
    realized.id,
    realized.trait_id,
    realized.date,
    CAST(sum(realized.count) AS BIGINT) AS count
FROM realized
INNER JOIN merged_profile_traits AS held
    ON held.dpid = realized.dpid
    AND held.id = realized.id
    AND held.trait_id = realized.trait_id
    AND realized.date >= CAST(held.first_realized AS DATE)
GROUP BY realized.dpid, realized.id, realized.trait_id, realized.date;
