-- The first ten lines of each file and kind of error, of the last 14 days (INB-143 to INB-145). Grain: one row per line.
SELECT
    rejected.day,
    rejected.partner,
    rejected.file,
    rejected.line_no,
    rejected.reason,
    rejected.sample,
    manifest.dpid,
    CASE
        WHEN rejected.reason <> 'invalid_device_id' THEN NULL
        WHEN manifest.format = 'odc' THEN 'an ID of the type that its line names'
        WHEN manifest.dpid IN (20914, 121963, 488258, 1171485) THEN 'a UUID in lower case'
        WHEN manifest.dpid = 20915 THEN 'a UUID in upper case'
        ELSE 'letters, digits and hyphens'
    END AS expected
FROM rejected_lines AS rejected
LEFT JOIN inbound_files AS manifest
    ON manifest.day = rejected.day
        AND manifest.partner = rejected.partner
        AND manifest.key = rejected.file
        AND manifest.batch = rejected.batch
        AND manifest.status = 'accepted'
WHERE rejected.sample IS NOT NULL AND rejected.day > (SELECT max(day) FROM runs) - 14
QUALIFY row_number() OVER (
    PARTITION BY rejected.day, rejected.file, rejected.batch, rejected.reason ORDER BY rejected.line_no
) <= 10
