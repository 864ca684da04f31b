-- Profiles for which something changed after $last up to the end of $day that any segment may notice (SEG-054).
-- Reads `named_trait(trait_id, renewals)`, `edge(trait_id, capped, first, last)` and the views `traits_now`, `counts_now`.
-- $sources: those that persons are merged by.
WITH
-- Qualifications that came or went; renewals only where the date of the last one is asked for (SEG-036).
qualified AS (
    SELECT
        changes.dpid,
        changes.id
    FROM lake.main.profile_traits_changes AS changes
    INNER JOIN named_trait ON named_trait.trait_id = changes.trait_id
    WHERE changes.day > $last AND changes.day <= $day
        AND (changes.change <> 'renewed' OR named_trait.renewals)
),

realized AS (
    SELECT
        changes.dpid,
        changes.id
    FROM lake.main.trait_counts_changes AS changes
    INNER JOIN named_trait ON named_trait.trait_id = changes.trait_id
    WHERE changes.day > $last AND changes.day <= $day
),

-- Realizations that only the calendar moved across the edge of a window (SEG-033).
moved AS (
    SELECT
        counts_now.dpid,
        counts_now.id
    FROM counts_now
    INNER JOIN edge ON edge.trait_id = counts_now.trait_id AND counts_now.date BETWEEN edge.first AND edge.last
    WHERE NOT edge.capped
    UNION ALL
    SELECT
        traits_now.dpid,
        traits_now.id
    FROM traits_now
    INNER JOIN edge
        ON edge.trait_id = traits_now.trait_id AND CAST(traits_now.last_realized AS DATE) BETWEEN edge.first AND edge.last
    WHERE edge.capped
),

opted_out AS (
    SELECT
        dpid,
        id
    FROM lake.main.opt_outs_changes
    WHERE day > $last AND day <= $day
),

linked AS (
    SELECT
        dpid,
        id
    FROM lake.main.id_links_changes
    WHERE day > $last AND day <= $day AND list_contains($sources, dpid)
    UNION ALL
    SELECT
        device_dpid,
        device_id
    FROM lake.main.id_links_changes
    WHERE day > $last AND day <= $day AND list_contains($sources, dpid)
)

FROM qualified
UNION
FROM realized
UNION
FROM moved
UNION
FROM opted_out
UNION
FROM linked;
