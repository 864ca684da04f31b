-- The day $day partner by partner. Grain: one row per partner of the catalog. $partners: all names, in the order of the catalog.
WITH
who AS (
    SELECT unnest(CAST($partners AS VARCHAR[])) AS partner
),

files AS (
    SELECT
        partner,
        count(*) FILTER (day = $day AND status = 'accepted') AS accepted,
        count(*) FILTER (day = $day AND status = 'refused') AS refused,
        count(*) FILTER (day = $day AND status = 'duplicate') AS duplicate,
        count(*) FILTER (day = $day AND batch > 1) AS late,
        max(day) AS last_sent
    FROM inbound_files
    WHERE day <= $day
    GROUP BY partner
),

records AS (
    SELECT
        partner,
        sum(records_received)::BIGINT AS received,
        sum(stored_records)::BIGINT AS stored
    FROM onboarding_status
    WHERE day = $day AND family = 'data'
    GROUP BY partner
),

rates AS (
    SELECT
        partner,
        round(100 * sum(matched) / nullif(sum(records), 0), 1) AS match_rate,
        round(min(trend), 1) AS trend
    FROM match_rates
    WHERE day = $day
    GROUP BY partner
)

SELECT
    who.partner,
    coalesce(files.accepted, 0) AS accepted,
    coalesce(files.refused, 0) AS refused,
    coalesce(files.duplicate, 0) AS duplicate,
    coalesce(files.late, 0) AS late,
    files.last_sent,
    -- who never sent anything, or nothing for a week, is not waited for
    coalesce(files.last_sent < CAST($day AS DATE) AND files.last_sent >= CAST($day AS DATE) - 7, false) AS is_missing,
    coalesce(records.received, 0) AS received,
    coalesce(records.stored, 0) AS stored,
    round(100 * records.stored / nullif(records.received, 0), 1) AS percent_success,
    rates.match_rate,
    rates.trend
FROM who
LEFT JOIN files ON files.partner = who.partner
LEFT JOIN records ON records.partner = who.partner
LEFT JOIN rates ON rates.partner = who.partner
ORDER BY is_missing DESC, refused DESC, rates.trend NULLS LAST, received DESC, who.partner;
