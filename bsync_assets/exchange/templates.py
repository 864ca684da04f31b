"""Templates of destinations (OUT-040 to OUT-053): file name, header and content line share one language.

`parse_template` judges a text once, when the catalog loads; what it answers cannot fail at run time (OUT-045). Names and
headers are rendered here, once per file. Content becomes one SQL expression over rows (`Content`), which a run and
`bsync explain` both select. Does not belong here: where the rows come from, and how files are called without a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import duckdb
import pyarrow as pa
from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

Kind = Literal["name", "header", "content"]

DEFAULT_CONTENT = '<DP_UUID> <SEGMENT_LIST; separator=","> <REMOVED_SEGMENT_LIST; separator=",">'  # OUT-060

#: Blocks and item parts inside each other: far above what a person writes, far below what the stack bears.
MAX_DEPTH = 100


class TemplateError(ValueError):
    """A template that is refused: a code of OUT-045 and the column, in characters from 1, where it was detected."""

    def __init__(self, code: str, column: int) -> None:
        super().__init__(f"{code} at column {column}")
        self.code = code
        self.column = column


class Text(NamedTuple):
    """Output as it is."""

    text: str
    column: int


class Macro(NamedTuple):
    """`<NAME; option=value ...>`; `item` is what a list prints for each element. Options: name -> (value, quoted, column)."""

    name: str
    column: int
    item: Item | None
    options: tuple[tuple[str, tuple[str, bool, int]], ...]

    def option(self, name: str) -> str | None:
        """The value of an option, or None."""
        return next((value for given, (value, _, _) in self.options if given == name), None)


class Item(NamedTuple):
    """`{var|...}`."""

    variable: str
    parts: tuple[Any, ...]


class Reference(NamedTuple):
    """`<var.attribute>`."""

    variable: str
    attribute: str
    column: int


class If(NamedTuple):
    """`<if(A && B)>...<endif>`; conditions with their columns."""

    conditions: tuple[tuple[str, int], ...]
    parts: tuple[Any, ...]


Part: TypeAlias = Text | Macro | Reference | If

_ITEMS: dict[str, frozenset[str]] = {  # list macro -> attributes of its elements (OUT-050, OUT-051)
    "SEGMENT_LIST": frozenset({"sid", "segmentId", "csegid", "alias", "type", "lastUpdateTime", "lastRealizationTime"}),
    "REMOVED_SEGMENT_LIST": frozenset({"sid", "segmentId", "csegid", "alias", "type", "lastUpdateTime", "lastRealizationTime"}),
    "TRAIT_LIST": frozenset({"traitId", "Id", "type", "lastRealized"}),
    "DP_UUID_LIST": frozenset(),
}
_EVERYWHERE = ("name", "header", "content")
_MACROS: dict[str, tuple[str, ...]] = {  # OUT-046
    **dict.fromkeys(("SYNC_TYPE", "SYNC_MODE", "ORDER_ID", "DPID", "MASTER_DPID", "PID_ALIAS", "PIDALIAS"), _EVERYWHERE),
    "TIMESTAMP": _EVERYWHERE,
    "SPLITNUM": ("name",),
    **dict.fromkeys(("TAB", "ASCII_SOH", "COMMA"), ("header", "content")),
    "NEW_LINE": ("header",),
    **dict.fromkeys(("PID", "UUID", "DP_UUID", "DPUUIDS", "MCID", "OPEN_CURLY_BRACKET", "CLOSE_CURLY_BRACKET"), ("content",)),
    **dict.fromkeys(("SET_ATTRIBUTES", "OUTPUT_ATTRIBUTE_VALUE", "OPT_OUT"), ("content",)),
    **dict.fromkeys(_ITEMS, ("content",)),
}
_DEPRECATED = frozenset({"OUTPUT_ATTRIBUTE_TYPE"})
_CHARACTERS = {
    "TAB": "\t", "ASCII_SOH": "\x01", "COMMA": ",", "NEW_LINE": "\n", "OPEN_CURLY_BRACKET": "{", "CLOSE_CURLY_BRACKET": "}",
    "SET_ATTRIBUTES": "1", "OUTPUT_ATTRIBUTE_VALUE": "1", "OPT_OUT": "0",
}  # fmt: skip
_TIMES = ("lastUpdateTime", "lastRealizationTime")
_WORDS = {"TAB": "\t", "COMMA": ",", "ASCII_SOH": "\x01"}
_OPTIONS: dict[str, tuple[str, ...]] = {**dict.fromkeys(_ITEMS, ("separator",)), "TIMESTAMP": ("format",), "DPUUIDS": ("format",)}

_NAME_CHARACTERS = re.compile(r"[A-Za-z0-9._-]*")
_FORMATS = {
    "yyyy": "%Y", "YYYY": "%Y", "MM": "%m", "dd": "%d", "DD": "%d", "HH": "%H", "hh": "%H", "mm": "%M", "ss": "%S", "SSS": "",
}  # fmt: skip
_FORMAT_PART = re.compile("|".join(_FORMATS) + r"|[^\W\d_]|[\W\d_]")
_DPUUIDS_PART = re.compile(r"dpids=[0-9]{1,10}(,[0-9]{1,10})*|maxMappings=[0-9]{1,9}|format=json")


@dataclass(frozen=True)
class Delivery:
    """What is the same for every line of a delivery; `part` None = not split (OUT-046)."""

    sync_type: str
    sync_mode: str
    order_id: int | str
    dpid: int | str
    master_dpid: int | str
    pid: int | str
    pid_alias: str | None
    ts_ms: int
    part: int | None = None

    def value(self, macro: str) -> str | None:
        """Value of a macro without options that every line shares, or None if rows decide it."""
        match macro:
            case "SYNC_TYPE":
                return self.sync_type
            case "SYNC_MODE":
                return self.sync_mode
            case "ORDER_ID":
                return str(self.order_id)
            case "DPID":
                return str(self.dpid)
            case "MASTER_DPID":
                return str(self.master_dpid)
            case "PID":
                return str(self.pid)
            case "PID_ALIAS" | "PIDALIAS":
                return self.pid_alias or ""
            case "TIMESTAMP":
                return str(self.ts_ms // 1000)
            case "SPLITNUM":
                return "" if self.part is None else f"{self.part:03d}"
        return _CHARACTERS.get(macro)


# --- Reading


class _Reader(Transformer[Any, Any]):
    """The parser's callbacks: from tokens to parts."""

    def __init__(self, numbers_parts: bool) -> None:
        super().__init__()
        self._numbers_parts = numbers_parts

    def start(self, parts: list[Part]) -> tuple[Part, ...]:
        return tuple(parts)

    def text(self, found: list[Token]) -> Part:
        return Text(str(found[0]), _column(found[0]))

    def escape(self, found: list[Token]) -> Part:
        return Text(str(found[0])[1:], _column(found[0]))

    def brace(self, found: list[Token]) -> Part:
        return self.text(found)

    def splitnum(self, found: list[Token]) -> Part:
        return Macro("SPLITNUM", _column(found[0]), None, ()) if self._numbers_parts else self.text(found)

    def macro(self, found: list[Any]) -> Part:
        name, item, *options = found
        return Macro(str(name), _column(name), item, tuple(options))

    def item(self, found: list[Any]) -> Item:
        variable, *parts, _ = found
        return Item(str(variable), tuple(parts))

    def reference(self, found: list[Token]) -> Part:
        variable, attribute = found
        return Reference(str(variable), str(attribute), _column(variable))

    def option(self, found: list[Token]) -> tuple[str, tuple[str, bool, int]]:
        name, value = found
        quoted = value.type == "QUOTED"
        return str(name), (value[1:-1] if quoted else str(value), quoted, _column(name))

    def condition(self, names: list[Token]) -> tuple[tuple[str, int], ...]:
        return tuple((str(name), _column(name)) for name in names)

    def if_block(self, found: list[Any]) -> Part:
        conditions, *parts = found
        return If(conditions, tuple(parts))


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


@cache
def _parser(numbers_parts: bool) -> Lark:
    grammar = Path(__file__).with_name("template.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Reader(numbers_parts), maybe_placeholders=True)


class Template(NamedTuple):
    """A template without a mistake."""

    kind: Kind
    parts: tuple[Part, ...]


def parse_template(text: str, kind: Kind) -> Template:
    """The template that `text` says. Raises TemplateError: grammar, then from left to right, E_NAME_CHARS last (OUT-045)."""
    try:
        parts: Any = _parser(kind == "name").parse(text)
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        raise TemplateError("E_SYNTAX", len(text) + 1 if at_end else (error.pos_in_stream or 0) + 1) from None
    _check(parts, kind, {}, 0)
    if kind == "name":
        _check_name(parts)
    return Template(kind, tuple(parts))


def _check(parts: Sequence[Part], kind: Kind, scope: Mapping[str, str], depth: int) -> None:
    """`scope`: variable of each item part around -> its list macro."""
    for part in parts:
        if isinstance(part, Macro):
            if depth > MAX_DEPTH:
                raise TemplateError("E_SYNTAX", part.column)
            _check_macro(part, kind)
            if part.item is not None:
                _check(part.item.parts, kind, {**scope, part.item.variable: part.name}, depth + 1)
        elif isinstance(part, Reference):
            if part.attribute not in _ITEMS.get(scope.get(part.variable, ""), ()):
                raise TemplateError("E_UNKNOWN_ATTRIBUTE", part.column)
        elif isinstance(part, If):
            if depth > MAX_DEPTH:
                raise TemplateError("E_SYNTAX", part.conditions[0][1])
            for name, column in part.conditions:
                _check_known(name, column, kind)
                if name == "DPUUIDS":  # it cannot be asked for without its format
                    raise TemplateError("E_FORMAT", column)
            _check(part.parts, kind, scope, depth + 1)


def _check_known(name: str, column: int, kind: Kind) -> None:
    if name in _DEPRECATED:
        raise TemplateError("E_DEPRECATED_MACRO", column)
    if name not in _MACROS:
        raise TemplateError("E_UNKNOWN_MACRO", column)
    if kind not in _MACROS[name]:
        raise TemplateError("E_MACRO_CONTEXT", column)


def _check_macro(macro: Macro, kind: Kind) -> None:
    _check_known(macro.name, macro.column, kind)
    if macro.item is not None and macro.name not in _ITEMS:
        raise TemplateError("E_OPTION", macro.column)
    seen: set[str] = set()
    for name, (value, quoted, column) in macro.options:
        if name not in _OPTIONS.get(macro.name, ()) or name in seen or (not quoted and value not in _WORDS):
            raise TemplateError("E_OPTION", column)
        seen.add(name)
        if name == "format":
            understood = _dpuuids_format(value) if macro.name == "DPUUIDS" else _time_format(value)
            if understood is None:
                raise TemplateError("E_FORMAT", column)
    if macro.name == "DPUUIDS" and not seen:
        raise TemplateError("E_FORMAT", macro.column)


def _check_name(parts: Sequence[Part]) -> None:
    for part in parts:
        if isinstance(part, If):
            _check_name(part.parts)
            continue
        written = part.text if isinstance(part, Text) else ""
        if isinstance(part, Macro) and (pattern := part.option("format")) is not None:
            written = "".join(piece for piece in _FORMAT_PART.findall(_option_value(pattern)) if piece not in _FORMATS)
        if not _NAME_CHARACTERS.fullmatch(written):
            raise TemplateError("E_NAME_CHARS", part.column)


def _option_value(value: str, quoted: bool = True) -> str:
    return value if quoted else _WORDS[value]


def _time_format(pattern: str) -> list[str] | None:
    """Pieces of a time format, or None when it holds another letter or nothing (OUT-047)."""
    pieces = _FORMAT_PART.findall(pattern)
    return pieces if pieces and all(piece in _FORMATS or not piece.isalpha() for piece in pieces) else None


def _dpuuids_format(text: str) -> tuple[list[int], int] | None:
    """(data sources in order, most IDs of each, 0 = all) of `dpids=a,b|maxMappings=n|format=json` (OUT-048)."""
    pieces = text.split("|")
    if not all(_DPUUIDS_PART.fullmatch(piece) for piece in pieces):
        return None
    given = dict(piece.split("=", 1) for piece in pieces)
    if len(given) != len(pieces) or set(given) != {"dpids", "maxMappings", "format"}:
        return None
    return [int(dpid) for dpid in given["dpids"].split(",")], int(given["maxMappings"])


# --- Rendering names and headers


def render(template: Template, delivery: Delivery) -> str:
    """A file name or header; E_NAME_CHARS when a value brings other characters into a name, or it is empty (OUT-038)."""
    text = "".join(_constants(template.parts, delivery))
    if template.kind == "name" and not (text and _NAME_CHARACTERS.fullmatch(text)):
        raise TemplateError("E_NAME_CHARS", 1)
    return text


def _constants(parts: Sequence[Part], delivery: Delivery) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Text):
            yield part.text
        elif isinstance(part, Macro):
            yield _constant(part, delivery) or ""
        elif isinstance(part, If) and all(delivery.value(name) for name, _ in part.conditions):
            yield from _constants(part.parts, delivery)


def _constant(macro: Macro, delivery: Delivery) -> str | None:
    """Text of a macro that every line shares, or None if rows decide it."""
    pattern = macro.option("format")
    if macro.name != "TIMESTAMP" or pattern is None:
        return delivery.value(macro.name)
    seconds, milliseconds = divmod(delivery.ts_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    special = {"yyyy": f"{moment.year:04d}", "YYYY": f"{moment.year:04d}", "SSS": f"{milliseconds:03d}"}
    return "".join(
        special.get(piece, moment.strftime(_FORMATS[piece]) if piece in _FORMATS else piece)
        for piece in _time_format(pattern) or ()
    )


# --- Content as SQL


#: Columns of the rows that content is rendered from. In `segments` and `removed` an element is the position of a (segment,
#: destination value) in the delivery's `Values`; in content that prints times it is STRUCT(pos INTEGER, updated BIGINT), with
#: when it last changed (epoch milliseconds). In `maps` it is a link of the device.
ROW_COLUMNS = {
    "dp_uuid": "VARCHAR",
    "uuid": "VARCHAR",
    "mcid": "VARCHAR",
    "dp_uuid_list": "VARCHAR[]",
    "segments": "INTEGER[]",
    "removed": "INTEGER[]",
    "traits": "STRUCT(trait_id BIGINT, type INTEGER, last_realized BIGINT)[]",
    "maps": "STRUCT(dpid BIGINT, id VARCHAR, seen BIGINT)[]",
}
_COLUMN_OF = {
    "DP_UUID": "dp_uuid", "UUID": "uuid", "MCID": "mcid", "DP_UUID_LIST": "dp_uuid_list", "SEGMENT_LIST": "segments",
    "REMOVED_SEGMENT_LIST": "removed", "TRAIT_LIST": "traits", "DPUUIDS": "maps",
}  # fmt: skip


@dataclass(frozen=True)
class Values:
    """What a delivery can print of its segments, by position from 1, in ascending order of segments (OUT-050)."""

    sid: Sequence[str]
    csegid: Sequence[str]
    alias: Sequence[str]


@dataclass
class Content:
    """A content template as SQL: `expression` over a row, its parameters, and the columns of ROW_COLUMNS that it reads.

    `times` tells whether it prints when segments last changed.
    """

    expression: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    times: bool = False


def compile_content(template: Template, delivery: Delivery, values: Values) -> Content:
    """The SQL that renders one line per row, without its line feed."""
    content = Content(
        params={"sid": list(values.sid), "csegid": list(values.csegid), "alias": list(values.alias)},
        times=_prints_times(template.parts),
    )
    content.expression = _joined(_expressions(template.parts, delivery, content, {}))
    used = set(re.findall(r"\$(\w+)", content.expression))
    content.params = {name: value for name, value in content.params.items() if name in used}
    return content


def _prints_times(parts: Sequence[Part]) -> bool:
    return any(
        part.attribute in _TIMES
        if isinstance(part, Reference)
        else _prints_times(part.parts)
        if isinstance(part, If)
        else isinstance(part, Macro) and part.item is not None and _prints_times(part.item.parts)
        for part in parts
    )


def _joined(pieces: Iterator[str]) -> str:
    given = list(pieces)
    return "concat(" + ", ".join(given) + ")" if given else "''"


def _literal(content: Content, value: Any) -> str:
    name = f"t{len(content.params)}"
    content.params[name] = value
    return f"${name}"


def _expressions(
    parts: Sequence[Part], delivery: Delivery, content: Content, scope: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """One SQL expression per part; text that every line shares becomes one parameter. `scope`: variable -> (list, SQL name)."""
    pending = ""
    for part in parts:
        constant = part.text if isinstance(part, Text) else _constant(part, delivery) if isinstance(part, Macro) else None
        if constant is not None:
            pending += constant
            continue
        if pending:
            yield _literal(content, pending)
            pending = ""
        if isinstance(part, Macro):
            yield _of_row(part, delivery, content, scope)
        elif isinstance(part, Reference):
            of, variable = scope[part.variable]
            yield _attribute(of, part.attribute, variable, content)
        elif isinstance(part, If):
            conditions = [_condition(name, delivery, content) for name, _ in part.conditions]
            body = _joined(_expressions(part.parts, delivery, content, scope))
            yield "CASE WHEN " + " AND ".join(conditions) + " THEN " + body + " ELSE '' END"
    if pending:
        yield _literal(content, pending)


def _of_row(macro: Macro, delivery: Delivery, content: Content, scope: Mapping[str, tuple[str, str]]) -> str:
    column = _COLUMN_OF[macro.name]
    content.columns.add(column)
    if macro.name == "DPUUIDS":
        return _dpuuids(macro, content)
    if macro.name not in _ITEMS:
        return f"coalesce({column}, '')"
    variable = f"x{len(scope)}"
    ordered = column if macro.name == "DP_UUID_LIST" else f"list_sort({column})"
    if macro.item is not None:
        inner = {**scope, macro.item.variable: (macro.name, variable)}
        item = _joined(_expressions(macro.item.parts, delivery, content, inner))
    elif macro.name == "DP_UUID_LIST":
        item = variable
    else:
        item = _attribute(macro.name, "traitId" if macro.name == "TRAIT_LIST" else "alias", variable, content)
    given = next(((value, quoted) for name, (value, quoted, _) in macro.options if name == "separator"), ("", True))
    separator = _literal(content, _option_value(*given))
    return f"coalesce(array_to_string(list_transform({ordered}, lambda {variable}: {item}), {separator}), '')"


def _attribute(of: str, attribute: str, variable: str, content: Content) -> str:
    position = f"{variable}.pos" if content.times else variable
    match of, attribute:
        case "TRAIT_LIST", "lastRealized":
            return f"coalesce(CAST({variable}.last_realized AS VARCHAR), '')"
        case "TRAIT_LIST", "type":
            return f"coalesce(CAST({variable}.type AS VARCHAR), '')"
        case "TRAIT_LIST", _:
            return f"CAST({variable}.trait_id AS VARCHAR)"
        case _, "type":
            return _literal(content, "5")
        case _, "lastUpdateTime" | "lastRealizationTime":
            return f"coalesce(CAST({variable}.updated AS VARCHAR), '')"
        case _, "sid" | "segmentId":
            return f"$sid[{position}]"
        case _:
            return f"${attribute}[{position}]"


def _dpuuids(macro: Macro, content: Content) -> str:
    dpids, most = _dpuuids_format(macro.option("format") or "") or ([], 0)
    newest_first = "list_sort(list_transform(list_filter(maps, lambda m: m.dpid = d), lambda m: {'age': -m.seen, 'id': m.id}))"
    some = f"{newest_first}[1:{_literal(content, most)}]" if most else newest_first
    pairs = f"list_transform({_literal(content, dpids)}, lambda d: list_transform({some}, lambda p: [CAST(d AS VARCHAR), p.id]))"
    return f"CAST(to_json(flatten({pairs})) AS VARCHAR)"


def _condition(name: str, delivery: Delivery, content: Content) -> str:
    constant = delivery.value(name)
    if constant is not None:
        return "true" if constant else "false"
    column = _COLUMN_OF[name]
    content.columns.add(column)
    return f"len({column}) > 0" if name in _ITEMS else f"coalesce({column}, '') <> ''"


# --- The batch form


def template_results(kind: Kind, inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Answers to `name_template`, `header_template` and `content_template` objects of the batch form: the text, or the code."""
    from bsync_assets.exchange.destination_names import file_name

    results = []
    with duckdb.connect() as con:
        for given in inputs:
            try:
                template = parse_template(given["template"], kind)
                context = given.get("context", {})
                delivery = _delivery_of(context)
                if kind == "name":
                    results.append(file_name(template, delivery))
                elif kind == "header":
                    results.append(render(template, delivery))
                else:
                    results.append(_line_of(con, template, delivery, context))
            except TemplateError as error:
                results.append(error.code)
    return results


def _delivery_of(context: Mapping[str, Any]) -> Delivery:
    def text(name: str) -> str:
        return "" if context.get(name) is None else str(context[name])

    return Delivery(
        sync_type=text("SYNC_TYPE"), sync_mode=text("SYNC_MODE"), order_id=text("ORDER_ID"), dpid=text("DPID"),
        master_dpid=text("MASTER_DPID"), pid=text("PID"), pid_alias=context.get("PID_ALIAS"),
        ts_ms=int(context.get("ts_ms") or 0), part=context.get("part"),
    )  # fmt: skip


def _line_of(con: duckdb.DuckDBPyConnection, template: Template, delivery: Delivery, context: Mapping[str, Any]) -> str:
    lists = [context.get(name) or [] for name in ("SEGMENT_LIST", "REMOVED_SEGMENT_LIST")]
    segments = sorted((segment for given in lists for segment in given), key=lambda segment: int(segment["sid"]))
    position = {id(segment): number for number, segment in enumerate(segments, 1)}

    def known(segment: Mapping[str, Any], *names: str) -> str:
        return str(next((segment[name] for name in names if segment.get(name) is not None), ""))

    values = Values(
        [known(segment, "sid") for segment in segments],
        [known(segment, "csegid", "sid") for segment in segments],
        [known(segment, "alias", "sid") for segment in segments],
    )

    content = compile_content(template, delivery, values)

    def elements(given: Sequence[Mapping[str, Any]]) -> list[Any]:
        if not content.times:
            return [position[id(s)] for s in given]
        updated = [next((int(s[time]) for time in _TIMES if s.get(time) is not None), None) for s in given]
        return [{"pos": position[id(s)], "updated": time} for s, time in zip(given, updated, strict=True)]

    row = {
        "dp_uuid": context.get("DP_UUID"),
        "uuid": context.get("UUID"),
        "mcid": context.get("MCID"),
        "dp_uuid_list": context.get("DP_UUID_LIST") or [],
        "segments": elements(lists[0]),
        "removed": elements(lists[1]),
        "traits": [
            {"trait_id": t["traitId"], "type": t.get("type"), "last_realized": t.get("lastRealized")}
            for t in context.get("TRAIT_LIST") or []
        ],
        "maps": [{"dpid": dpid, "id": value, "seen": seen} for dpid, value, seen in context.get("maps") or []],
    }
    types = {**_ARROW, **(dict.fromkeys(("segments", "removed"), _DATED) if content.times else {})}
    con.register("given", pa.table({name: pa.array([value], types[name]) for name, value in row.items()}))
    answer = con.execute("SELECT " + content.expression + " FROM given", content.params).fetchall()
    con.unregister("given")
    return str(answer[0][0])


_DATED = pa.list_(pa.struct([("pos", pa.int32()), ("updated", pa.int64())]))
_ARROW = {
    "dp_uuid": pa.string(), "uuid": pa.string(), "mcid": pa.string(), "dp_uuid_list": pa.list_(pa.string()),
    "segments": pa.list_(pa.int32()), "removed": pa.list_(pa.int32()),
    "traits": pa.list_(pa.struct([("trait_id", pa.int64()), ("type", pa.int32()), ("last_realized", pa.int64())])),
    "maps": pa.list_(pa.struct([("dpid", pa.int64()), ("id", pa.string()), ("seen", pa.int64())])),
}  # fmt: skip
