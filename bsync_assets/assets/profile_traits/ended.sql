-- What really leaves without input: `ending` but for what today's records and visits realized or removed themselves.
-- Reads `profile`, `realized`.
SELECT ending.*
FROM ending
LEFT JOIN profile ON profile.dpid = ending.dpid AND profile.id = ending.id
LEFT JOIN realized ON realized.profile_no = profile.profile_no AND realized.trait_id = ending.trait_id
WHERE realized.trait_id IS NULL;
