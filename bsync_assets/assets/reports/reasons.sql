-- Why lines of the day $day were not stored, as of the day. Grain: one row per reason code.
-- The three reasons that most lines have are counted by the figures of files already.
WITH
figures AS (
    SELECT
        partner,
        file,
        unnest(['no_matching_aam_id', 'no_trait_realized', 'opted_out']) AS reason,
        unnest([no_matching_aam_id, no_trait_realized, opted_out]) AS lines
    FROM onboarding_status
    WHERE day = $day
),

counted AS (
    SELECT
        partner,
        file,
        reason,
        lines
    FROM figures
    WHERE lines > 0
    UNION ALL
    SELECT
        partner,
        file,
        reason,
        count(*) AS lines
    FROM rejected_lines
    WHERE day = $day AND reason NOT IN ('no_matching_aam_id', 'no_trait_realized', 'opted_out')
    GROUP BY partner, file, reason
)

SELECT
    reason,
    sum(lines)::BIGINT AS lines,
    count(DISTINCT file) AS files,
    list_sort(list(DISTINCT partner)) AS partners
FROM counted
GROUP BY reason
ORDER BY sum(lines) DESC, reason;
