-- Which units have realized traits how often inside a window (SEG-008, SEG-030 to SEG-037): (key, unit).
-- Reads `tally_trait(tally, trait_id, capped, first, last)`: the traits and dates that a tally adds up, `count_fact(key,
-- tally, op, count)`, `place`, the views `traits_now`, `counts_now`. Traits that are active only are in either (SEG-037).
WITH
summed AS (
    SELECT
        tally_trait.tally,
        place.unit,
        sum(counts_now.count) AS count
    FROM counts_now
    INNER JOIN tally_trait
        ON tally_trait.trait_id = counts_now.trait_id AND counts_now.date BETWEEN tally_trait.first AND tally_trait.last
    INNER JOIN place ON place.dpid = counts_now.dpid AND place.id = counts_now.id
    WHERE NOT tally_trait.capped
    GROUP BY tally_trait.tally, place.unit
),

-- Onboarded and algorithmic traits of a folder: one each, dated at the last qualification of the merged profile (SEG-036).
last_qualified AS (
    SELECT
        place.unit,
        traits_now.trait_id,
        CAST(max(traits_now.last_realized) AS DATE) AS date
    FROM traits_now
    INNER JOIN place ON place.dpid = traits_now.dpid AND place.id = traits_now.id
    WHERE traits_now.trait_id IN (SELECT trait_id FROM tally_trait WHERE capped)
    GROUP BY place.unit, traits_now.trait_id
),

capped AS (
    SELECT
        tally_trait.tally,
        last_qualified.unit,
        count(*) AS count
    FROM last_qualified
    INNER JOIN tally_trait
        ON tally_trait.trait_id = last_qualified.trait_id
        AND last_qualified.date BETWEEN tally_trait.first AND tally_trait.last
    WHERE tally_trait.capped
    GROUP BY tally_trait.tally, last_qualified.unit
),

total AS (
    SELECT
        tally,
        unit,
        sum(count) AS count
    FROM (FROM summed UNION ALL FROM capped)
    GROUP BY tally, unit
)

SELECT
    count_fact.key,
    total.unit
FROM total
INNER JOIN count_fact ON count_fact.tally = total.tally
WHERE CASE count_fact.op WHEN '>=' THEN total.count >= count_fact.count ELSE total.count = count_fact.count END;
