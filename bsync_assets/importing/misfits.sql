-- Imported lines that do not fit the catalog, with what was expected. Grain: one row per line and misfit.
-- Reads `namespace(dpid, form, is_device)` and `trait(trait_id)`.
-- Reads also `said_link`, `said_email`, `said_trait`, `said_opt_out`, `said_activity`.
WITH
named AS (
    SELECT line_no, 'link.dpid' AS field, 'link.id' AS id_field, dpid, id FROM said_link
    UNION ALL SELECT line_no, 'link.device_dpid', 'link.device_id', device_dpid, device_id FROM said_link
    UNION ALL SELECT line_no, 'email.dpid', 'email.id', dpid, id FROM said_email
    UNION ALL SELECT line_no, 'email.email_dpid', 'email.hash', email_dpid, hash FROM said_email
    UNION ALL SELECT line_no, 'trait.dpid', 'trait.id', dpid, id FROM said_trait
    UNION ALL SELECT line_no, 'opt_out.dpid', 'opt_out.id', dpid, id FROM said_opt_out
    UNION ALL SELECT line_no, 'activity.dpid', 'activity.id', dpid, id FROM said_activity
),

judged AS (
    SELECT
        named.*,
        namespace.form,
        namespace.is_device,
        id_problem(namespace.form, named.id) AS problem
    FROM named
    LEFT JOIN namespace ON namespace.dpid = named.dpid
),

misfits AS (
    SELECT
        line_no,
        CASE
            WHEN form IS NULL
                THEN field || ': expected a data source of the catalog, 0, 4 or a global device namespace, got ' || dpid
            WHEN field = 'link.device_dpid' AND NOT is_device
                THEN field || ': expected 0, 4 or a global device namespace, got ' || dpid
            WHEN field = 'email.email_dpid' AND form <> 'hashed_email'
                THEN field || ': expected a data source labelled hashed_email, got ' || dpid
            WHEN problem IS NOT NULL
                THEN id_field || ': ' || problem || ', expected an ID of data source ' || dpid || ', got ' || masked(id)
        END AS complaint
    FROM judged
    UNION ALL
    SELECT
        line_no,
        'trait.trait_id: expected a trait of the catalog, got ' || trait_id AS complaint
    FROM said_trait
    WHERE trait_id NOT IN (SELECT trait_id FROM trait)
)

SELECT
    line_no,
    complaint
FROM misfits
WHERE complaint IS NOT NULL
ORDER BY line_no, complaint
