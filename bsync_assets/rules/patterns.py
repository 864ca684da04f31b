r"""Patterns of `matchesregex` (TRT-048, TRT-049): Java's syntax in, the engine's out (RE2, inside DuckDB).

Only what is listed here passes, and each piece is written anew for the engine, because the two read many
patterns differently without saying so: `\s` has no vertical tab in RE2, `.` stops at more line ends in Java,
`(?i)` is about ASCII letters in Java, `a{,3}` is text in RE2 and an error in Java. The value is always
matched as a whole. `\b` is the boundary of a run of `\w`, as Java has it since 19.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

import duckdb

Ranges: TypeAlias = tuple[tuple[int, int], ...]  # of code points, both ends included

_LAST = 0x10FFFF
_LINE_ENDS: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x85, 0x85), (0x2028, 0x2029))  # where Java's `.` stops
_UPPER: Ranges = ((0x41, 0x5A),)
_LOWER: Ranges = ((0x61, 0x7A),)
_DIGIT: Ranges = ((0x30, 0x39),)
_SPACE: Ranges = ((0x09, 0x0D), (0x20, 0x20))
_VERTICAL: Ranges = ((0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029))
_HORIZONTAL: Ranges = (
    (0x09, 0x09),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x180E, 0x180E),
    (0x2000, 0x200A),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
)
_CLASSES: dict[str, Ranges] = {
    "d": _DIGIT,
    "s": _SPACE,
    "v": _VERTICAL,
    "h": _HORIZONTAL,
    "w": (*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER),
}
_PROPERTIES: dict[str, Ranges] = {  # \p{...} of ASCII
    "Lower": _LOWER,
    "Upper": _UPPER,
    "ASCII": ((0x00, 0x7F),),
    "Alpha": (*_UPPER, *_LOWER),
    "Digit": _DIGIT,
    "Alnum": (*_DIGIT, *_UPPER, *_LOWER),
    "Punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "Graph": ((0x21, 0x7E),),
    "Print": ((0x20, 0x7E),),
    "Blank": ((0x09, 0x09), (0x20, 0x20)),
    "Cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "XDigit": (*_DIGIT, (0x41, 0x46), (0x61, 0x66)),
    "Space": _SPACE,
}
# \p{...} of Unicode, the same name in both. `C` and `Cn` are missing: RE2 knows no unassigned characters.
_CATEGORY = re.compile(r"L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfo]")
# \p{Is...} in Java, \p{...} in RE2
_SCRIPT = re.compile(r"Arabic|Cyrillic|Devanagari|Greek|Han|Hangul|Hebrew|Hiragana|Katakana|Latin|Thai")
# Java widens some of these under (?i), which ones depends on its version.
_ABOUT_CASE = frozenset({"Lower", "Upper", "Lu", "Ll", "Lt"})
_CHARACTERS = {"t": 0x09, "n": 0x0A, "r": 0x0D, "f": 0x0C, "a": 0x07, "e": 0x1B}

_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|\Z)|\\[^Q]", re.DOTALL)
_NUMBERED = re.compile(
    r"0(?P<octal>[0-3][0-7]{2}|[0-7]{1,2})|x(?P<two>[0-9A-Fa-f]{2})|x\{(?P<any>[0-9A-Fa-f]+)\}"
    r"|u(?P<four>[0-9A-Fa-f]{4})|c(?P<control>[\x00-\x7f])"
)
_PROPERTY = re.compile(r"([A-Z])|\{(?:Is)?([A-Za-z]+)\}")
_REPEAT = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_GROUP = re.compile(r"\(\?(?P<on>[ims]*)(?:-(?P<off>[ims]*))?(?P<end>[:)])|\(\?<(?P<name>[A-Za-z][A-Za-z0-9]*)>|\((?!\?)")


class PatternError(ValueError):
    """A pattern that Java or the engine does not compile, or that they would read differently."""


class _Set(NamedTuple):
    """A class written as an escape: ranges of code points, or a category, perhaps negated."""

    ranges: Ranges = ()
    category: str = ""
    negated: bool = False


class _Group:
    """What is open at a place in the pattern: the flags in force and how the current alternative stands."""

    def __init__(self, flags: frozenset[str]) -> None:
        self.flags = flags
        self.repeatable = False  # the last piece may take a quantifier
        self.ended = False  # `$` was said: nothing may follow in this alternative
        self.has_end = False  # `$` was said in some alternative


@lru_cache(maxsize=10_000)
def re2_pattern(pattern: str) -> str:
    """`pattern` as the engine has to be given it, compiled once to be sure. Raises PatternError."""
    translated = _Translation(pattern).run()
    try:
        _engine().cursor().execute("SELECT regexp_full_match('', $pattern)", {"pattern": translated})
    except duckdb.Error as error:
        raise PatternError(str(error)) from None
    return translated


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


class _Translation:
    """One pass over a pattern, from left to right; open groups are a stack, so depth costs no recursion."""

    def __init__(self, pattern: str) -> None:
        self.pattern = _QUOTED.sub(_spelled_out, pattern)
        self.at = 0
        self.out: list[str] = []
        self.groups = [_Group(frozenset())]
        self.names: set[str] = set()

    def run(self) -> str:
        while self.at < len(self.pattern):
            self.piece(self.pattern[self.at])
        if len(self.groups) > 1:
            raise PatternError("unclosed group")
        return "".join(self.out)

    def piece(self, character: str) -> None:
        group = self.groups[-1]
        if character == "|":
            group.ended = group.repeatable = False
            self.put("|", 1)
        elif character == ")":
            self.close_group()
        elif group.ended:
            # Java's `$` matches before a final line end too: the same in both only at the very end.
            raise PatternError("something follows $")
        elif character in "*+?{":
            self.quantifier(group)
        elif character == "(":
            self.open_group(group)
        else:
            group.repeatable = True
            if character == "[":
                self.bracket(group)
            elif character == "\\":
                self.escape_outside(group)
            elif character in "^$":
                self.anchor(character, group)
            elif character == ".":
                self.put("(?s:.)" if "s" in group.flags else _written(_LINE_ENDS, negated=True), 1)
            else:
                self.put(_literal(ord(character), group.flags), 1)

    def put(self, text: str, length: int) -> None:
        """Write `text` for the next `length` characters of the pattern."""
        self.out.append(text)
        self.at += length

    def quantifier(self, group: _Group) -> None:
        if not group.repeatable:
            raise PatternError("nothing to repeat")
        repeat = _REPEAT.match(self.pattern, self.at)
        if self.pattern[self.at] == "{" and not repeat:
            raise PatternError("not a repetition")
        text = repeat[0] if repeat else self.pattern[self.at]
        self.put(text, len(text))
        if self.pattern.startswith("?", self.at):
            self.put("?", 1)
        group.repeatable = False  # a possessive `+` fails here as well

    def open_group(self, group: _Group) -> None:
        match = _GROUP.match(self.pattern, self.at)
        if not match:
            raise PatternError("look-around, atomic group or unknown flag")
        flags = (group.flags | set(match["on"] or "")) - set(match["off"] or "")
        if match["name"] in self.names:
            raise PatternError("group name used twice")
        if match["name"]:
            self.names.add(match["name"])
        if match["end"] == ")":
            group.flags = flags
            group.repeatable = False
            self.put("", len(match[0]))
            return
        self.groups.append(_Group(flags))
        self.put("(?:", len(match[0]))

    def close_group(self) -> None:
        closed = self.groups.pop()
        if not self.groups:
            raise PatternError("unopened group")
        group = self.groups[-1]
        group.repeatable = True
        group.ended = closed.has_end
        group.has_end |= closed.has_end
        self.put(")", 1)

    def anchor(self, character: str, group: _Group) -> None:
        if "m" in group.flags:
            raise PatternError("line anchors see other line ends")
        if character == "$":
            self.end(group, 1)
        else:
            group.repeatable = False
            self.put(r"\A", 1)

    def end(self, group: _Group, length: int) -> None:
        group.repeatable = False
        group.ended = group.has_end = True
        self.put(r"\z", length)

    def escape_outside(self, group: _Group) -> None:
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in ("A", "z", "b", "B") and not self.pattern.startswith(r"\b{", self.at):
            group.repeatable = False
            self.put("\\" + letter, 2)
        elif letter == "Z":
            self.end(group, 2)
        elif letter == "R":
            self.put(rf"(?:\r\n|{_written(_VERTICAL)})", 2)
        else:
            found = self.escape(group)
            self.out.append(_literal(found, group.flags) if isinstance(found, int) else f"[{_item(found)}]")

    def escape(self, group: _Group) -> int | _Set:
        """Read an escape that may stand in brackets too: a code point or a class."""
        letter = self.pattern[self.at + 1 : self.at + 2]
        if not letter:
            raise PatternError("pattern ends in a backslash")
        if letter in _CHARACTERS:
            self.at += 2
            return _CHARACTERS[letter]
        if letter.lower() in _CLASSES:
            self.at += 2
            ranges = _CLASSES[letter.lower()]
            return _Set(ranges if letter.islower() else _complement(ranges))
        if letter in "pP":
            return self.property(letter == "P", group)
        numbered = _NUMBERED.match(self.pattern, self.at + 1)
        if numbered:
            self.at = numbered.end()
            return _numbered(numbered)
        if letter.isascii() and letter.isalnum():
            raise PatternError(f"unknown escape \\{letter}")
        self.at += 2
        return ord(letter)

    def property(self, negated: bool, group: _Group) -> _Set:
        match = _PROPERTY.match(self.pattern, self.at + 2)
        if not match:
            raise PatternError("unknown property")
        self.at = match.end()
        name = match[1] or match[2]
        if name in _ABOUT_CASE and "i" in group.flags:
            raise PatternError("property about case without regard to case")
        prefixed = match[0].startswith("{Is")
        if _CATEGORY.fullmatch(name) or (prefixed and _SCRIPT.fullmatch(name)):
            return _Set(category=name, negated=negated)
        if name in _PROPERTIES and not prefixed:
            return _Set(_complement(_PROPERTIES[name]) if negated else _PROPERTIES[name])
        raise PatternError(f"unknown property {name}")

    def bracket(self, group: _Group) -> None:
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        classes: list[str] = []
        first = True
        while first or not self.pattern.startswith("]", self.at):
            first = False
            found = self.bracket_item(group)
            if isinstance(found, _Set):
                classes.append(_item(found))
                continue
            last = found
            if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
                self.at += 1
                end = self.bracket_item(group)
                if isinstance(end, _Set) or end < found:
                    raise PatternError("not a range")
                last = end
            ranges.append((found, last))
        if "i" in group.flags:
            ranges += [other for low, high in ranges for other in _other_case(low, high)]
        self.put(f"[{'^' * negated}{_item(_Set(tuple(ranges)))}{''.join(classes)}]", 1)

    def bracket_item(self, group: _Group) -> int | _Set:
        if self.at >= len(self.pattern):
            raise PatternError("unclosed class")
        if self.pattern.startswith(("[", "&&"), self.at):
            raise PatternError("class inside a class")
        if self.pattern[self.at] == "\\":
            return self.escape(group)
        self.at += 1
        return ord(self.pattern[self.at - 1])


def _spelled_out(match: re.Match[str]) -> str:
    r"""`\Q...\E` as one escape per character; any other escape as it stands."""
    if match[1] is None:
        return match[0]
    return "".join(rf"\x{{{ord(character):X}}}" for character in match[1])


def _numbered(match: re.Match[str]) -> int:
    if match["control"]:
        return ord(match["control"]) ^ 0x40
    if match["octal"]:
        return int(match["octal"], 8)
    digits = match["two"] or match["any"] or match["four"]
    code_point = int(digits, 16)
    if code_point > _LAST or 0xD800 <= code_point <= 0xDFFF:
        raise PatternError("not a character")
    return code_point


def _other_case(low: int, high: int) -> list[tuple[int, int]]:
    """The ASCII letters whose other case lies within the range (what Java's `(?i)` adds)."""
    other = []
    for (first, last), shift in ((_UPPER[0], 0x20), (_LOWER[0], -0x20)):
        if max(low, first) <= min(high, last):
            other.append((max(low, first) + shift, min(high, last) + shift))
    return other


def _complement(ranges: Ranges) -> Ranges:
    gaps = []
    start = 0
    for low, high in ranges:  # ascending
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, _LAST))


def _literal(code_point: int, flags: frozenset[str]) -> str:
    ranges = ((code_point, code_point), *(_other_case(code_point, code_point) if "i" in flags else ()))
    return _written(ranges) if len(ranges) > 1 else _character(code_point)


def _written(ranges: Ranges, negated: bool = False) -> str:
    return f"[{'^' * negated}{_item(_Set(ranges))}]"


def _item(found: _Set) -> str:
    """As it stands between brackets."""
    if found.category:
        return rf"\{'P' if found.negated else 'p'}{{{found.category}}}"
    return "".join(_character(low) + (f"-{_character(high)}" if high > low else "") for low, high in found.ranges)


def _character(code_point: int) -> str:
    character = chr(code_point)
    return character if character.isascii() and character.isalnum() else rf"\x{{{code_point:X}}}"
