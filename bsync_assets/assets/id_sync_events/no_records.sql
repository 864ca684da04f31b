-- No rows, in the shape of `records.sql`.
SELECT
    NULL::INTEGER AS file,
    NULL::BIGINT AS line_no,
    NULL::BOOLEAN AS is_whole,
    NULL::STRUCT(
        "at" TIMESTAMP,
        call VARCHAR,
        outcome VARCHAR,
        errors INTEGER[],
        device VARCHAR,
        "new" BOOLEAN,
        ids JSON[][],
        signals VARCHAR[][],
        satisfied VARCHAR[],
        traits BIGINT[],
        "only" BIGINT,
        opt_outs JSON[][],
        unlinked JSON[][],
        redirect VARCHAR,
        syncs VARCHAR[]
    ) AS said
WHERE false;
