-- What these profiles held at the end of the day before. Grain: one row per profile and trait. Reads `profile`, `before`.
SELECT
    profile.profile_no,
    before.trait_id,
    before.first_realized,
    before.last_realized
FROM before
INNER JOIN profile ON profile.dpid = before.dpid AND profile.id = before.id;
