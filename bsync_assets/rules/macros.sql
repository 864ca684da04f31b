-- What comparisons read from a text: from operands and from signals alike.

-- The decimal number that a text is, exactly, else NULL (TRT-044). The form is checked first: CAST alone
-- would take exponents, and round what has too many digits.
CREATE OR REPLACE TEMP MACRO rule_number(text) AS
    CASE
        WHEN regexp_full_match(text, '[ \t]*[+-]?(0*[0-9]{1,28}(\.[0-9]{0,10}0*)?|\.[0-9]{1,10}0*)[ \t]*')
            THEN CAST(text AS DECIMAL(38, 10))
    END;

-- The words of a text, each between two blanks: a run of words of one is a part of the other (TRT-047).
CREATE OR REPLACE TEMP MACRO rule_words(text) AS
    ' ' || trim(regexp_replace(text, '[^\p{L}\p{Nd}]+', ' ', 'g')) || ' ';
