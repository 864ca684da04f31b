-- Active traits of each row's device and, where the row is a declared ID, of that profile; reads `held`, the traits of the day.
-- Reads also `row_device`, `printable_trait`; $namespace, $day.
WITH
profile AS (
    SELECT id AS row_id, device_dpid AS dpid, device_id AS id FROM row_device
    UNION
    SELECT id AS row_id, $namespace AS dpid, id FROM row_device
),

latest AS (
    SELECT profile.row_id, held.trait_id, printable_trait.type, max(epoch_ms(held.last_realized)) AS last_realized
    FROM profile
    JOIN held USING (dpid, id)
    JOIN printable_trait USING (trait_id)
    WHERE held.expires_at IS NULL OR held.expires_at > CAST($day AS DATE) + INTERVAL 1 DAY
    GROUP BY ALL
)

SELECT row_id AS id, list({'trait_id': trait_id, 'type': type, 'last_realized': last_realized}) AS traits
FROM latest
GROUP BY row_id;
