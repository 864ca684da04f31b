-- Merge rules under which every profile is judged alone: no unit has more than one profile.
SELECT
    NULL::BIGINT AS unit_dpid,
    NULL::VARCHAR AS unit_id,
    NULL::BIGINT AS dpid,
    NULL::VARCHAR AS id
LIMIT 0;
