-- What the destination was told last (OUT-070), and whether it must forget it whatever the mapping says (PRV-025, PRV-034).
SELECT
    published.id,
    known_value.pos,
    published.segment_id,
    published.device_dpid,
    published.device_id,
    EXISTS (FROM opted_out WHERE opted_out.dpid = $namespace AND opted_out.id = published.id)
        OR EXISTS (FROM opted_out WHERE opted_out.dpid = published.device_dpid AND opted_out.id = published.device_id)
        AS is_private
FROM published_then AS published
JOIN known_value USING (value);
