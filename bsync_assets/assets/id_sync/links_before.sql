-- Links of the day before that today's rows and calls can concern: those of the IDs and devices that they name, and of the
-- devices of these IDs. Reads `pair`, `sighting` (before it is chained) and the view `all_links_before`.
WITH
named AS MATERIALIZED (
    SELECT
        master_dpid AS dpid,
        master_id AS id
    FROM pair
    UNION
    SELECT
        dpid,
        id
    FROM pair
    UNION
    SELECT
        dpid,
        id
    FROM sighting
),

devices AS MATERIALIZED (
    SELECT
        device_dpid,
        device_id
    FROM sighting
    UNION
    SELECT
        device_dpid,
        device_id
    FROM all_links_before
    SEMI JOIN named USING (dpid, id)
)

SELECT links.*
FROM all_links_before AS links
SEMI JOIN named USING (dpid, id)
UNION ALL
SELECT links.*
FROM all_links_before AS links
SEMI JOIN devices USING (device_dpid, device_id)
ANTI JOIN named USING (dpid, id);
