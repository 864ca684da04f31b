-- Records whose items count as signals: processed, well formed and not opted out (INB-129). Reads `resolved`.
FROM resolved
WHERE (is_sound AND reject IS DISTINCT FROM 'opted_out') OR reject IN ('invalid_aam_id', 'invalid_device_id');
