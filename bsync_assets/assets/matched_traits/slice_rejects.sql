-- Rows of the slice for `rejected_lines`. Lines that break a rule get a sample: the user ID masked, keys readable, values,
-- bare items and keys in p_ hidden (PRV-055, INB-85). Reads `data_file`, `outcome`, `line`.
WITH
sampled AS (
    SELECT
        line.rec,
        array_to_string(
            [masked(left(trim(string_split(line.text, chr(9))[1], ' '), 60))]
            || list_transform(
                string_split(left(line.text, 400), chr(9))[2:],
                LAMBDA part: regexp_replace(part, ' *"?-*[pP]_[^=,]*=[^,]*|("?[^=,"@%]*"?) *=[^,]*|[^,=]+', '\1=***', 'g')
            ),
            chr(9)
        ) AS sample
    FROM line
    SEMI JOIN (
        FROM outcome WHERE reason NOT IN ('no_trait_realized', 'no_matching_aam_id', 'opted_out')
    ) AS broken ON broken.rec = line.rec
)

SELECT
    data_file.partner,
    data_file.key AS file,
    outcome.line_no,
    outcome.reason,
    sampled.sample,
    data_file.batch,
    'matched_traits' AS stage
FROM outcome
INNER JOIN data_file ON data_file.file = outcome.file
LEFT JOIN sampled ON sampled.rec = outcome.rec
WHERE outcome.reason IS NOT NULL;
