"""`bsync explain --batch`: one object {"kind", "input"} per line in, one {"result"} or {"error"} per line out, in the same order.

Inputs are gathered by kind and judged together, by the functions and statements of the daily run. `KINDS` is the table of
kinds; to add one, give the shape of its input and a function from inputs to answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bsync_assets.exchange import data_lines
from bsync_assets.exchange.calls import call_result
from bsync_assets.exchange.data_lines import HEAD_COLUMNS, Slice
from bsync_assets.exchange.destination_names import default_name_result, parse_name_result
from bsync_assets.exchange.items import Texts, cut_lines, joined
from bsync_assets.exchange.lines import numbered_lines
from bsync_assets.exchange.names import NameRefused, parse_name
from bsync_assets.exchange.namespaces import id_form
from bsync_assets.exchange.templates import Kind as TemplateKind
from bsync_assets.exchange.templates import TemplateError, parse_template, template_results
from bsync_assets.rules.evaluation import trait_rule_results
from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.membership import segment_result
from bsync_assets.rules.segments import TraitFacts, parse_segment
from bsync_assets.rules.trait_rules import is_key_name, parse_trait_rule
from bsync_assets.sqlfiles import make, sql

_TOGETHER = 10_000  # lines of a batch answered together: enough to be quick, few enough to answer while more come in

#: {"result": ...}, with "column" where a refusal has one and it is asked for; or {"error": ...}.
Answer = dict[str, Any]
Answers = Callable[[Sequence[Any]], Iterable[Answer]]


class Kind(NamedTuple):
    """A kind of question: the shape its input must have, and what answers inputs of that shape, each on its own or all at once.

    `column` finds the column of a refusal that is a code; None for an answer that is a text of its own.
    """

    shape: TypeAdapter[Any]
    answers: Answers
    column: Callable[[Any], int | None] | None = None


# --- Shapes of inputs


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")


class DataContext(_Shape):
    """How a data line is to be read. `id_key` is the key of its data source, or the DPID of a shared namespace."""

    format: Literal["standard", "odc"]
    mode: Literal["sync", "overwrite"] = "sync"
    id_key: Literal["customer", "aam", "ecid", "hashed_email"] | int = "customer"

    @property
    def form(self) -> str:
        """The ID form of the first column."""
        if isinstance(self.id_key, int):
            return id_form(self.id_key)
        return id_form(-1, self.id_key, "hashed_email" if self.id_key == "hashed_email" else None)


class SyncContext(_Shape):
    """How a row of a sync file is to be read; `labels` by DPID."""

    prefix: Literal["adobe_id", "c2c_id"]
    master: int
    dpids: Annotated[list[int], Field(min_length=1)]
    labels: dict[int, str] = {}

    @property
    def forms(self) -> list[str]:
        """The ID form of each column, master first."""
        return [id_form(dpid, label=self.labels.get(dpid)) for dpid in (self.master, *self.dpids)]


class Line(_Shape):
    """One physical line, as text or as bytes in hex."""

    context: DataContext | SyncContext
    line: str | None = None
    line_hex: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2})*$")] | None = None

    @model_validator(mode="after")
    def _one_line(self) -> Line:
        if (self.line is None) == (self.line_hex is None):
            raise ValueError("expected either line or line_hex")
        if b"\n" in self.content:
            raise ValueError("expected one line, got several")
        return self

    @property
    def content(self) -> bytes:
        """Its bytes, without the end of line. Half a surrogate pair, which JSON can say, becomes bytes that are not UTF-8."""
        given = bytes.fromhex(self.line_hex) if self.line_hex is not None else (self.line or "").encode("utf-8", "surrogatepass")
        return given.removesuffix(b"\n").removesuffix(b"\r")


class _Rule(_Shape):
    rule: str
    signals: list[tuple[str, str]]
    case: Literal["sensitive", "insensitive"] = "insensitive"


class _TraitOfProfile(_Shape):
    type: Literal["onboarded", "rule", "folder", "algorithmic"]
    owner: Literal["own", "3p"] = "own"
    ttl: Annotated[int, Field(ge=0)] = 120
    contains: list[int] = []


# No time to live leads outside the calendar from here (`ttl.LONGEST_LIFE`).
_Day = Annotated[date, Field(lt=date(7000, 1, 1))]


class _Segment(_Shape):
    expression: str
    profiles: list[str]
    business_day: _Day
    traits: dict[int, _TraitOfProfile]
    state: dict[str, dict[int, list[tuple[_Day, int]]]]


class _DefaultName(_Shape):
    method: Literal["s3", "ftp", "http", "S3"]
    destination_id: int
    master_dpid: int
    pid_alias: str | None = None
    mode: Literal["iter", "full"]
    timestamp_ms: int
    part: int | None = None
    gzip: bool = False


_Int = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]  # up to the year 9999


class _SegmentItem(_Shape):
    model_config = ConfigDict(extra="allow")  # plain attributes are text, or become it

    sid: _Int
    alias: str | None = None
    csegid: _Int | None = None
    lastUpdateTime: _Int | None = None  # noqa: N815
    lastRealizationTime: _Int | None = None  # noqa: N815


class _TraitItem(_Shape):
    traitId: _Int  # noqa: N815  (as templates write it)
    type: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    lastRealized: _Int | None = None  # noqa: N815


class _TemplateContext(_Shape):
    model_config = ConfigDict(extra="allow")  # plain macros are text, or become it

    ts_ms: _Millis | None = None
    part: Annotated[int, Field(ge=0)] | None = None
    PID_ALIAS: str | None = None
    UUID: str | None = None
    DP_UUID: str | None = None
    MCID: str | None = None
    DP_UUID_LIST: list[str] | None = None
    SEGMENT_LIST: list[_SegmentItem] | None = None
    REMOVED_SEGMENT_LIST: list[_SegmentItem] | None = None
    TRAIT_LIST: list[_TraitItem] | None = None
    maps: list[tuple[_Int, str, _Int]] | None = None


class _Template(_Shape):
    """A template and what it is filled with: by the name of each macro, with `ts_ms`, `part` and `maps`."""

    template: str
    context: _TemplateContext = _TemplateContext()


# --- Answers


def _file_name(key: str) -> Answer:
    try:
        return {"result": parse_name(key).normal_form()}
    except NameRefused as refusal:
        return {"result": {"reject": refusal.code}}


def answer_lines(lines: Sequence[Line]) -> list[Answer]:
    """The normal form of each line, each read as if it were a file of its own, but not as the first line of one (no BOM)."""
    answers: list[Answer] = [{"result": {"skip": "blank"}} for _ in lines]
    with duckdb.connect() as con:
        data_lines.prepare(con)
        for context, judge in ((DataContext, _judge_data_lines), (SyncContext, _judge_sync_rows)):
            numbers = [number for number, line in enumerate(lines) if isinstance(line.context, context)]
            if numbers:
                chosen = [lines[number] for number in numbers]
                query = judge(con, _numbered(chosen), [line.context for line in chosen])
                for file, outcome in con.execute("SELECT file, outcome FROM (" + query + ")").fetchall():
                    answers[numbers[file]] = {"result": json.loads(outcome)}
    return answers


def _numbered(lines: Sequence[Line]) -> pa.RecordBatch:
    """Lines as files' are split, `file` being the position; the line feed in front is for the first line not to begin a file."""
    content = b"\n" + b"".join(line.content + b"\n" for line in lines)
    (batch,) = numbered_lines([content])
    return batch.append_column("file", pc.cast(pc.subtract(batch["line_no"], 2), pa.int32()))


def _judge_data_lines(con: duckdb.DuckDBPyConnection, lines: pa.RecordBatch, contexts: Sequence[Any]) -> str:
    _load_files(
        con,
        "data_file",
        {
            "format": ([context.format for context in contexts], pa.string()),
            "mode": ([context.mode for context in contexts], pa.string()),
            "form": ([context.form for context in contexts], pa.string()),
            "dpid": ([0 for _ in contexts], pa.int64()),
        },
    )
    columns = np.array([HEAD_COLUMNS[context.format] for context in contexts])
    texts = Texts()
    table, tokens = joined([cut_lines(lines, columns[lines["file"].to_numpy()], texts)], texts, 0)
    con.register("line", table)
    data_lines.parse_slice(con, Slice(tokens, len(table)))
    data_lines.make_all_tokens(con, tokens)
    return sql(data_lines.__file__, "normal_data_lines.sql")


def _judge_sync_rows(con: duckdb.DuckDBPyConnection, lines: pa.RecordBatch, contexts: Sequence[Any]) -> str:
    con.register("line", lines.append_column("rec", lines["file"]))
    forms = [context.forms for context in contexts]
    _load_files(
        con,
        "sync_file",
        {
            "format": ([context.prefix for context in contexts], pa.string()),
            "columns": ([len(form) for form in forms], pa.int32()),
            "forms": (forms, pa.list_(pa.string())),
        },
    )
    make(con, "sync_row", sql(data_lines.__file__, "sync_rows.sql"))
    return sql(data_lines.__file__, "normal_sync_rows.sql")


def _load_files(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, tuple[Sequence[Any], pa.DataType]]) -> None:
    given = {name: pa.array(values, kind) for name, (values, kind) in columns.items()}
    count = len(next(iter(given.values())))
    con.register(table, pa.table({"file": pa.array(range(count), pa.int32()), **given}))


def _trait_rules(inputs: Sequence[_Rule]) -> list[Answer]:
    with duckdb.connect() as con:
        return [{"result": result} for result in trait_rule_results(con, [given.model_dump() for given in inputs])]


def _trait_rule_column(given: _Rule) -> int:
    return _column(lambda: parse_trait_rule(given.rule))


def _segment(given: _Segment) -> Answer:
    return {"result": segment_result(given.model_dump(mode="json"))}


def _segment_column(given: _Segment) -> int:
    facts = {
        trait: TraitFacts(fields.type, fields.owner == "own", tuple(fields.contains)) for trait, fields in given.traits.items()
    }
    return _column(lambda: parse_segment(given.expression, facts))


def _templates(kind: TemplateKind, inputs: Sequence[_Template]) -> list[Answer]:
    return [{"result": result} for result in template_results(kind, [given.model_dump(exclude_unset=True) for given in inputs])]


def _template_column(kind: TemplateKind, given: _Template) -> int | None:
    try:
        parse_template(given.template, kind)
    except TemplateError as error:
        return error.column
    return None


def _template_kind(kind: TemplateKind) -> Kind:
    return Kind(TypeAdapter(_Template), partial(_templates, kind), partial(_template_column, kind))


def _column(parse: Callable[[], object]) -> int:
    try:
        parse()
    except RuleError as error:
        return error.column
    raise LookupError("refused before, but not now")


def _each(answer: Callable[[Any], Answer], inputs: Sequence[Any]) -> list[Answer]:
    return [answer(given) for given in inputs]


_TEXT: TypeAdapter[Any] = TypeAdapter(str)

KINDS: dict[str, Kind] = {
    "filename": Kind(_TEXT, partial(_each, _file_name)),
    "line": Kind(TypeAdapter(Line), answer_lines),
    "url": Kind(_TEXT, partial(_each, lambda url: {"result": call_result(url)})),
    "trait_rule": Kind(TypeAdapter(_Rule), _trait_rules, _trait_rule_column),
    "key_name": Kind(_TEXT, partial(_each, lambda text: {"result": is_key_name(text)})),
    "segment": Kind(TypeAdapter(_Segment), partial(_each, _segment), _segment_column),
    "parse_name": Kind(_TEXT, partial(_each, lambda name: {"result": parse_name_result(name)})),
    "default_name": Kind(
        TypeAdapter(_DefaultName), partial(_each, lambda given: {"result": default_name_result(given.model_dump())})
    ),
    "name_template": _template_kind("name"),
    "header_template": _template_kind("header"),
    "content_template": _template_kind("content"),
}


# --- The batch


def answer_batch(lines: Iterable[bytes], columns: bool = False) -> Iterator[str]:
    """One line of JSON for each line of JSON; what cannot be answered is answered with {"error": <what was expected>}.

    `columns` adds the column of refused rules and expressions.
    """
    lines = iter(lines)
    while part := list(islice(lines, _TOGETHER)):
        for answer in _answered(part, columns):
            yield json.dumps(answer, separators=(",", ":"))


def _answered(lines: Sequence[bytes], columns: bool) -> list[Answer]:
    answers: list[Answer] = [{} for _ in lines]
    asked: dict[str, list[int]] = {}
    inputs: dict[int, Any] = {}
    for number, line in enumerate(lines):
        question = _question(line)
        if isinstance(question, str):
            answers[number] = {"error": question}
            continue
        kind, inputs[number] = question
        asked.setdefault(kind, []).append(number)
    for name, numbers in asked.items():
        kind_of = KINDS[name]
        for number, answer in zip(numbers, kind_of.answers([inputs[number] for number in numbers]), strict=True):
            code = answer.get("result")
            if columns and kind_of.column is not None and isinstance(code, str):
                column = kind_of.column(inputs[number])
                answer = answer if column is None else answer | {"column": column}
            answers[number] = answer
    return answers


def _question(line: bytes) -> tuple[str, Any] | str:
    """(kind, input in its shape), or what is wrong with the line."""
    try:
        question = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(question, dict) or not isinstance(question.get("kind"), str):
        return 'expected {"kind": ..., "input": ...}'
    if question["kind"] not in KINDS:
        return "unknown kind"
    if "input" not in question:
        return "no input"
    try:
        return question["kind"], KINDS[question["kind"]].shape.validate_python(question["input"])
    except ValidationError as error:
        return "input: " + "; ".join(_flaw(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False)[:3])


def _flaw(place: tuple[int | str, ...], problem: str) -> str:
    where = ".".join(str(step) for step in place)
    return f"{where}: {problem}" if where else problem
