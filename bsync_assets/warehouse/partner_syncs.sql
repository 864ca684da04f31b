-- Visitors and partners: linked or not, and since when. Grain: one row per partner that we sync with and visitor.
WITH
sources AS (
    SELECT
        partner,
        dpid
    FROM partner_sources
    WHERE day = (SELECT max(day) FROM partner_sources)
),

linked AS (
    SELECT
        sources.partner,
        id_links.device_id,
        min(id_links.first_seen) AS since,
        max(id_links.last_seen) AS last_seen
    FROM id_links
    INNER JOIN sources ON sources.dpid = id_links.dpid
    WHERE id_links.device_dpid = 0
    GROUP BY sources.partner, id_links.device_id
),

visitors AS (
    SELECT
        id AS device_id,
        coalesce(first_at, last_at) AS since,
        last_at AS last_seen
    FROM activity
    WHERE dpid = 0 AND last_at >= (SELECT max(day) FROM partner_sources) - 120
),

-- A step of its own: DuckDB keeps a view as text in which a cross join before an anti join reads as a correlated one.
possible AS (
    SELECT
        partners.partner,
        visitors.device_id,
        visitors.since,
        visitors.last_seen
    FROM visitors
    CROSS JOIN (SELECT DISTINCT partner FROM sources) AS partners
),

pairs AS (
    SELECT
        partner,
        device_id,
        true AS is_linked,
        since,
        last_seen
    FROM linked
    UNION ALL
    SELECT
        possible.partner,
        possible.device_id,
        false AS is_linked,
        possible.since,
        possible.last_seen
    FROM possible
    ANTI JOIN linked ON linked.partner = possible.partner AND linked.device_id = possible.device_id
)

SELECT
    partner,
    device_id,
    is_linked,
    since,
    last_seen
FROM pairs
ANTI JOIN opt_outs ON opt_outs.dpid = 0 AND opt_outs.id = pairs.device_id
