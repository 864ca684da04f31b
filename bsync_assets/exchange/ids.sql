-- The form of every kind of ID, as one macro: NULL when the ID is well formed, else the reason code.
-- `form` is what `namespaces.id_form` answers. IDS-11 to IDS-23, IDS-53, IDS-55, INB-68 to INB-72, PRV-051.

CREATE OR REPLACE TEMP MACRO holds_email(value) AS
    (contains(value, '@') OR contains(value, '%40'))
    AND regexp_matches(replace(value, '%40', '@'), '[^@\s]+@[^@\s]+\.[^@\s]+');

CREATE OR REPLACE TEMP MACRO id_problem(form, id) AS
    CASE
        WHEN form = 'platform' THEN
            CASE WHEN NOT regexp_full_match(id, '[0-9]{38}') THEN 'invalid_aam_id' END
        WHEN form = 'hex_lower' THEN
            CASE
                WHEN NOT regexp_full_match(id, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
                    OR id = '00000000-0000-0000-0000-000000000000' THEN 'invalid_device_id'
            END
        WHEN form = 'hex_upper' THEN
            CASE
                WHEN NOT regexp_full_match(id, '[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}')
                    OR id = '00000000-0000-0000-0000-000000000000' THEN 'invalid_device_id'
            END
        WHEN form = 'alphanumeric' THEN
            CASE
                WHEN length(id) > 128
                    OR NOT regexp_full_match(id, '[0-9A-Za-z]+(-[0-9A-Za-z]+)*')
                    OR regexp_full_match(id, '[0-]+') THEN 'invalid_device_id'
            END
        WHEN contains(id, ':') OR contains(id, '%3A') OR contains(id, '%3a') THEN 'colon_in_id'
        WHEN holds_email(id) THEN 'pii'
        WHEN form = 'hashed_email' AND NOT regexp_full_match(id, '[0-9a-f]{64}') THEN 'bad_hash'
    END;

-- The same for a cell of a sync row, where an ID must also be raw: IDS-53, then IDS-54, then the rest.
CREATE OR REPLACE TEMP MACRO sync_id_problem(form, id) AS
    CASE
        WHEN form IN ('customer', 'hashed_email')
            AND NOT (contains(id, ':') OR contains(id, '%3A') OR contains(id, '%3a'))
            AND regexp_matches(id, '%[0-9A-Fa-f]{2}') THEN 'url_encoded_id'
        ELSE id_problem(form, id)
    END;

-- First four and last two characters; too short an ID shows nothing. PRV-055.
CREATE OR REPLACE TEMP MACRO masked(id) AS
    CASE WHEN length(id) > 8 THEN left(id, 4) || '***' || right(id, 2) ELSE repeat('*', length(id)) END;
