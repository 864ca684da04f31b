-- The same fingerprint of the published memberships.
SELECT count(*), sum(hash(id, trait_id::BIGINT)::HUGEINT)
FROM profile_traits;
