"""Typical mistakes, and what to do about them. Which lines make them is found by `data_hints.sql` and `sync_hints.sql`."""

from __future__ import annotations

import re
from typing import NamedTuple


class Hint(NamedTuple):
    """A typical mistake: its code, the rule that is missed, advice; and how many lines make it, from which one on."""

    code: str
    rule: str
    advice: str
    lines: int = 0
    first_line: int | None = None


_LINE_HINTS: dict[str, tuple[str, str]] = {
    "smart_quotes": ("INB-76", 'typographic quotes are part of the text; only the plain " quotes'),
    "double_equals": ("INB-56", "a pair is written key=value; == belongs into rules, here the second = is part of the value"),
    "swapped_columns": ("INB-50", "the columns seem to be swapped; the user ID comes first, then the TAB, then the items"),
    "space_for_tab": ("INB-50", "user ID and items seem to be separated by something else; it must be one TAB character"),
    "semicolons": ("INB-52", "items seem to be separated by semicolons; separate them with commas"),
    "upper_case_hash": ("IDS-23", "hashes in upper case; write SHA-256 in lower-case hex digits"),
    "device_id_case": (
        "IDS-13, IDS-14",
        "device IDs in the wrong letter case; GAID and the like in lower case, IDFA in upper case",
    ),
    "lost_zeros": ("IDS-11", "platform IDs have 38 digits; leading zeros or digits were lost, perhaps in a spreadsheet"),
    "swapped_ids": ("IDS-60", "the columns seem to be swapped; the order of the name counts, the device comes first"),
    "no_tab_columns": ("IDS-45", "IDs seem to be separated by something else; it must be one TAB character"),
}


def line_hint(code: str, lines: int, first_line: int) -> Hint:
    """The hint of this code, made by so many lines."""
    rule, advice = _LINE_HINTS[code]
    return Hint(code, rule, advice, lines, first_line)


def name_hint(name: str, refusal: str) -> Hint | None:
    """What probably went wrong with a file name that was refused with this code."""
    digits = next(iter(re.findall(r"_(\d+)\.", name)), "")
    match refusal:
        case "bad_timestamp" if len(digits) == 13:
            return Hint(
                "milliseconds",
                "INB-19",
                f"the time stamp has 13 digits, so it is in milliseconds; in seconds it is {digits[:10]}",
            )
        case "bad_timestamp" if len(digits) == 9:
            return Hint("nine_digits", "INB-19", "the time stamp has 9 digits, a time in 1973 to 2001; 10 digits are needed")
        case "bad_timestamp" if len(digits) in (8, 14):
            return Hint(
                "calendar_time",
                "INB-19",
                "the time stamp seems to be a date; it must be seconds since 1970, as `date +%s` prints",
            )
        case "unknown_prefix" | "bad_mode" if name != name.lower():
            return Hint("upper_case_name", "INB-11", "names are in lower case")
        case "bad_mode" | "unsupported_compression" if name.endswith((".txt", ".csv", ".zip")):
            return Hint(
                "foreign_ending", "INB-21", "nothing but .sync or .overwrite, a part number and .gz may follow the time stamp"
            )
    return None
