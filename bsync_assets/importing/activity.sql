-- When IDs were last seen alive, as of the import. A platform ID of which nothing is said is known by its traits; links count
-- besides. Grain: one row per ID. Reads `said_activity`, `said_trait`, `before`.
WITH
said AS (
    SELECT
        dpid,
        id,
        last_at
    FROM said_activity
    UNION ALL
    SELECT
        dpid,
        id,
        realized_at AS last_at
    FROM said_trait
    WHERE dpid = 0 AND id NOT IN (SELECT id FROM said_activity WHERE dpid = 0)
)

SELECT
    dpid,
    id,
    max(last_at) AS last_at
FROM (SELECT * FROM before UNION ALL BY NAME SELECT * FROM said)
GROUP BY dpid, id;
