-- The profiles judged, numbered from 0. Reads `concerned`.
SELECT
    CAST(row_number() OVER () - 1 AS UINTEGER) AS no,
    dpid,
    id,
    affected
FROM concerned;
