-- A fingerprint of the (uuid, trait) pairs of a Parquet file, independent of their order: count, sum of hashes.
SELECT count(*), sum(hash(uuid, trait::BIGINT)::HUGEINT)
FROM read_parquet($path);
