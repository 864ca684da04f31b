-- When a qualification ends (TRT-080 to TRT-083): 00:00 UTC, ttl_days + 1 days after the day of the last one.
-- last: TIMESTAMP or DATE in UTC; NULL answer = never. Lives beyond 1,000,000 days never end, as in `ttl.py`.
CREATE OR REPLACE TEMP MACRO expires_at(last, ttl_days) AS
    CASE
        WHEN ttl_days BETWEEN 1 AND 1000000
            THEN CAST(CAST(last AS DATE) + (CAST(ttl_days AS INTEGER) + 1) AS TIMESTAMP)
    END;
