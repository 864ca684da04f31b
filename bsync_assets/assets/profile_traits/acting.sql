-- Records on profiles. Grain: one row per record and profile. `step` orders records within their unit; the records of an
-- overwrite are one step. `times` = how many records act on the profile today. Reads `record`, `profile`, `holder`.
SELECT
    record.rec,
    record.user_no,
    record.origin_day,
    record.file_id,
    record.line_no,
    record.unit,
    CASE WHEN record.is_overwrite THEN 0 ELSE record.line_no END AS step,
    record.is_overwrite,
    record.target,
    record.seen_at,
    profile.profile_no,
    count(*) OVER (PARTITION BY profile.profile_no) AS times
FROM record
INNER JOIN holder ON holder.user_no = record.user_no
INNER JOIN profile ON profile.dpid = holder.dpid AND profile.id = holder.id
WHERE holder.is_active;
