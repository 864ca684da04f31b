-- Figures of each data file of the day: the sums over its slices (INB-123 to INB-133). Reads `slice_figure`, `data_file`; $day.
WITH
summed AS (
    SELECT
        file,
        sum(COLUMNS(* EXCLUDE (file)))::BIGINT
    FROM slice_figure
    GROUP BY file
)

SELECT
    CAST($day AS DATE) AS day,
    data_file.partner,
    data_file.key AS file,
    data_file.batch,
    data_file.source AS dpid,
    data_file.target,
    summed.* EXCLUDE (file)
FROM data_file
INNER JOIN summed ON summed.file = data_file.file;
