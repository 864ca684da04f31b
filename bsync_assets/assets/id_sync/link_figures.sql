-- The day's figures of sync files, now with what became of accepted rows and which links they made (IDS-146, IDS-147).
-- Reads `row_outcome`, `sighting`, `link_seen`, `link_before`, `pair`, `email_ranked`, `link_ranked`; $day.
WITH
outcomes AS (
    SELECT
        partner,
        file,
        batch,
        count(*) FILTER (outcome = 'stored') AS stored,
        count(*) FILTER (outcome = 'opted_out') AS opted_out,
        count(*) FILTER (outcome = 'no_matching_aam_id') AS no_matching
    FROM row_outcome
    GROUP BY partner, file, batch
),

sightings AS (
    SELECT
        sighting.row_no,
        sighting.row_no = link_seen.first_row AND link_before.id IS NULL
            AND row_number() OVER (PARTITION BY sighting.row_no, dpid, id, device_dpid, device_id ORDER BY sighting.col) = 1
            AS is_new
    FROM sighting
    INNER JOIN link_seen USING (dpid, id, device_dpid, device_id)
    LEFT JOIN link_before USING (dpid, id, device_dpid, device_id)
    UNION ALL
    SELECT
        pair.row_no,
        pair.row_no = email_ranked.first_row AND NOT email_ranked.was_known
            AND row_number() OVER (PARTITION BY pair.row_no, pair.dpid, pair.id ORDER BY pair.col) = 1
            AS is_new
    FROM pair
    INNER JOIN email_ranked
        ON email_ranked.dpid = pair.master_dpid
        AND email_ranked.id = pair.master_id
        AND email_ranked.email_dpid = pair.dpid
        AND email_ranked.hash = pair.id
    WHERE pair.format = 'c2c_id' AND NOT pair.is_opted_out
),

evictions AS (
    SELECT cause_row AS row_no FROM link_ranked WHERE is_evicted
    UNION ALL
    SELECT cause_row AS row_no FROM email_ranked WHERE is_evicted
),

links AS (
    SELECT
        row_outcome.partner,
        row_outcome.file,
        row_outcome.batch,
        count(*) FILTER (events.kind = 'new') AS new_mappings,
        count(*) FILTER (events.kind = 'refreshed') AS refreshed_mappings,
        count(*) FILTER (events.kind = 'evicted') AS evicted_mappings
    FROM (
        SELECT row_no, CASE WHEN is_new THEN 'new' ELSE 'refreshed' END AS kind FROM sightings
        UNION ALL
        SELECT row_no, 'evicted' AS kind FROM evictions
    ) AS events
    INNER JOIN row_outcome ON row_outcome.row_no = events.row_no
    GROUP BY row_outcome.partner, row_outcome.file, row_outcome.batch
)

SELECT
    figures.* REPLACE (
        coalesce(outcomes.stored, 0) AS stored_records,
        coalesce(outcomes.opted_out, 0) AS opted_out,
        coalesce(outcomes.no_matching, 0) AS no_matching_aam_id,
        coalesce(links.new_mappings, 0) AS new_mappings,
        coalesce(links.refreshed_mappings, 0) AS refreshed_mappings,
        coalesce(links.evicted_mappings, 0) AS evicted_mappings
    )
FROM lake.main.id_sync_figures AS figures
LEFT JOIN outcomes USING (partner, file, batch)
LEFT JOIN links USING (partner, file, batch)
WHERE figures.day = $day;
