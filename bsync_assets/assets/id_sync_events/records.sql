-- Lines of capture files -> what they say. Grain: one row per line. A line that is not whole was never answered. Reads `line`.
SELECT
    file,
    line_no,
    json_valid(text) AS is_whole,
    CASE
        WHEN json_valid(text) THEN from_json(
            text,
            '{
                "at": "TIMESTAMP",
                "call": "VARCHAR",
                "outcome": "VARCHAR",
                "errors": ["INTEGER"],
                "device": "VARCHAR",
                "new": "BOOLEAN",
                "ids": [["JSON"]],
                "signals": [["VARCHAR"]],
                "satisfied": ["VARCHAR"],
                "traits": ["BIGINT"],
                "only": "BIGINT",
                "opt_outs": [["JSON"]],
                "unlinked": [["JSON"]],
                "redirect": "VARCHAR",
                "syncs": ["VARCHAR"]
            }'
        )
    END AS said
FROM line;
