-- What the destination was told last (OUT-070), and whether it must forget it whatever the mapping says (PRV-025, PRV-034).
-- Reads `known_value`, `opted_out`, `published_then`; $namespace.
SELECT
    published.id,
    known_value.pos,
    published.segment_id,
    published.device_dpid,
    published.device_id,
    published.id IN (SELECT id FROM opted_out WHERE dpid = $namespace)
        OR coalesce((published.device_dpid, published.device_id) IN (SELECT (dpid, id) FROM opted_out), FALSE)
        AS is_private
FROM published_then AS published
JOIN known_value USING (value);
