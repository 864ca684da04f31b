-- The removals of `member_changes`. Why each member left: the first reason of SEG-053 that applies. Grain: one row per removed (segment, profile).
-- Reads `removed(segment_id, dpid, id, since)`: last day the
-- segment was judged; `mention(segment_id, trait_id)`: traits
-- whose loss can end a membership; `segment_edge(segment_id, trait_id, capped, first, last)`: what the calendar moved across a
-- window; `companion(dpid, id, with_dpid, with_id)`: profiles merged with a removed one before, itself included; `regrouped(dpid,
-- id)`: removed ones that are merged otherwise now; `reason_order(reason, rank)`; `gone_now`.
-- Reads also `counts_now`, `traits_now`; $day.
WITH
opted_out AS (
    SELECT
        removed.segment_id,
        removed.dpid,
        removed.id,
        'opt_out' AS reason
    FROM removed
    SEMI JOIN gone_now USING (dpid, id)
),

lost AS (
    SELECT
        removed.segment_id,
        removed.dpid,
        removed.id,
        changes.reason
    FROM removed
    INNER JOIN companion USING (dpid, id)
    INNER JOIN mention ON mention.segment_id = removed.segment_id
    INNER JOIN lake.main.profile_traits_changes AS changes
        ON changes.dpid = companion.with_dpid
        AND changes.id = companion.with_id
        AND changes.trait_id = mention.trait_id
        AND changes.day > removed.since
    WHERE changes.day <= $day AND changes.change = 'removed'
),

moved AS (
    SELECT
        removed.segment_id,
        removed.dpid,
        removed.id,
        'recency_window' AS reason
    FROM removed
    INNER JOIN companion USING (dpid, id)
    INNER JOIN segment_edge ON segment_edge.segment_id = removed.segment_id
    INNER JOIN counts_now
        ON counts_now.dpid = companion.with_dpid
        AND counts_now.id = companion.with_id
        AND counts_now.trait_id = segment_edge.trait_id
        AND counts_now.date BETWEEN segment_edge.first AND segment_edge.last
    WHERE NOT segment_edge.capped
    UNION ALL
    SELECT
        removed.segment_id,
        removed.dpid,
        removed.id,
        'recency_window'
    FROM removed
    INNER JOIN companion USING (dpid, id)
    INNER JOIN segment_edge ON segment_edge.segment_id = removed.segment_id
    INNER JOIN traits_now
        ON traits_now.dpid = companion.with_dpid
        AND traits_now.id = companion.with_id
        AND traits_now.trait_id = segment_edge.trait_id
        AND CAST(traits_now.last_realized AS DATE) BETWEEN segment_edge.first AND segment_edge.last
    WHERE segment_edge.capped
),

relinked AS (
    SELECT
        removed.segment_id,
        removed.dpid,
        removed.id,
        'link_changed' AS reason
    FROM removed
    SEMI JOIN regrouped USING (dpid, id)
),

applying AS (
    FROM opted_out
    UNION ALL
    FROM lost
    UNION ALL
    FROM moved
    UNION ALL
    FROM relinked
),

first_of_all AS (
    SELECT
        applying.segment_id,
        applying.dpid,
        applying.id,
        arg_min(applying.reason, reason_order.rank) AS reason
    FROM applying
    INNER JOIN reason_order ON reason_order.reason = applying.reason
    GROUP BY applying.segment_id, applying.dpid, applying.id
)

SELECT
    removed.segment_id,
    removed.dpid,
    removed.id,
    'removed' AS change,
    coalesce(first_of_all.reason, 'rule') AS reason
FROM removed
LEFT JOIN first_of_all USING (segment_id, dpid, id);
