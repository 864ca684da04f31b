"""`bsync explain name|line|url|rule|segment|template` in words: what the rules make of it, and which rule says so.

Every function answers an `Explanation`; the command prints it. Nothing is decided here: facts come from the parsers of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import duckdb

from bsync_assets.catalog import Catalog
from bsync_assets.exchange.calls import call_result
from bsync_assets.exchange.names import FileName, NameRefused, parse_name
from bsync_assets.exchange.namespaces import DEVICE_NAMESPACES
from bsync_assets.exchange.reasons import FILE_REASONS, LINE_REASONS
from bsync_assets.exchange.templates import Kind as TemplateKind
from bsync_assets.exchange.templates import TemplateError, parse_template, template_results
from bsync_assets.explain.machine import DataContext, Line, SyncContext, answer_lines
from bsync_assets.rules.evaluation import trait_rule_results
from bsync_assets.rules.expressions import RuleError
from bsync_assets.rules.segments import Frequency, Has, TraitFacts, parse_segment
from bsync_assets.rules.trait_rules import ORDERINGS, Comparison, parse_trait_rule


class Fact(NamedTuple):
    """One thing that is so: what, what it means, and the rules that say it."""

    what: str
    meaning: str
    rule: str


@dataclass
class Explanation:
    """Facts, or why there are none; `result` is the normal form, for programs."""

    result: Any
    facts: list[Fact] = field(default_factory=list)
    refused: Fact | None = None
    pointer: tuple[str, int] | None = None  # text that is refused, and the column, from 1


# --- Names


def explain_name(key: str, catalog: Catalog | None) -> Explanation:
    """A file name, or a key with the folders of partner and day."""
    try:
        name = parse_name(key)
    except NameRefused as refusal:
        rule, meaning = FILE_REASONS[refusal.code]
        return Explanation({"reject": refusal.code}, refused=Fact(refusal.code, meaning, rule))
    facts = _data_name(name, catalog) if name.family == "data" else _sync_name(name, catalog)
    if name.split is not None:
        facts.append(Fact(f"part {name.split}", "one of several files", "INB-22" if name.family == "data" else "IDS-37"))
    if name.compression or name.encryption:
        packed = "gzip" if name.compression else "PGP, which compresses by itself"
        facts.append(Fact(name.compression or str(name.encryption), packed, "INB-23" if name.compression else "INB-24"))
    moment = datetime.fromtimestamp(name.timestamp, UTC)
    facts.append(
        Fact(str(name.timestamp), f"{moment:%Y-%m-%d %H:%M:%S} UTC; makes the name unique, nothing else", "INB-19, INB-20")
    )
    if name.partner is not None:
        facts.append(Fact(f"{name.partner}, {name.date}", "the partner who sent it, and the day it belongs to", "INB-02"))
    return Explanation(name.normal_form(), facts)


def _data_name(name: FileName, catalog: Catalog | None) -> list[Fact]:
    kind = "Oracle Data Cloud device data" if name.format == "odc" else "data about visitors"
    facts = [Fact("data file", kind, "INB-26" if name.format == "odc" else "INB-10")]
    facts.append(Fact(f"IDs of {name.dpid}", _source(name.dpid, catalog), "INB-12"))
    if name.target is None:
        facts.append(Fact(f"traits of {name.dpid}", "the same data source, as no other is named", "INB-15"))
    else:
        facts.append(Fact(f"traits of {name.target}", _source(name.target, catalog), "INB-15"))
    modes = {
        "sync": "traits are added and removed, the rest stays",
        "overwrite": "a visitor's traits of that data source are replaced by those listed",
    }
    return [*facts, Fact(str(name.mode), modes[str(name.mode)], "INB-100" if name.mode == "sync" else "INB-101, INB-102")]


def _sync_name(name: FileName, catalog: Catalog | None) -> list[Fact]:
    if name.prefix == "c2c_id":
        facts = [Fact("sync file", "links customer IDs to hashed e-mails", "IDS-31, IDS-70")]
    else:
        facts = [Fact("sync file", "links IDs to devices", "IDS-31, IDS-60")]
    facts.append(Fact(f"column 1 is {name.master}", _source(name.master, catalog), "IDS-32"))
    further = [f"column {column} is {dpid}" for column, dpid in enumerate(name.dpids, 2)]
    return facts + [Fact(what, _source(dpid, catalog), "IDS-33") for what, dpid in zip(further, name.dpids, strict=True)]


def _source(dpid: int | None, catalog: Catalog | None) -> str:
    if dpid in (0, 4):
        return "platform IDs" if dpid == 0 else "Experience Cloud IDs"
    if dpid in DEVICE_NAMESPACES:
        return DEVICE_NAMESPACES[dpid][0]
    if catalog is None or dpid is None:
        return "a data source"
    source = catalog.data_sources.get(dpid)
    if source is None:
        return "not in the catalog: the file would be refused as unknown_dpid"
    return f"{source.name or 'a data source'}, of {source.owner or 'the account itself'}, {source.type}"


# --- Lines

_ITEMS = {
    "add": ("adds trait {0}", "INB-60"),
    "remove": ("removes trait {0}", "INB-61, INB-62"),
    "ignored": ("would remove trait {0}; ignored in overwrite files", "INB-104"),
    "ic": ("signal ic = {0}", "INB-63"),
    "bare": ("signal ic = {0}; trait {0} if no rule takes it and it is a number", "INB-64, TRT-008"),
    "kv": ("signal {0} = {1}", "INB-56"),
    "bad": ("says nothing; counts as an unused signal", "INB-65"),
}


def line_context(file_name: str | None, catalog: Catalog | None) -> DataContext | SyncContext:
    """How lines of a file of this name are read; without a name, those of a data file of customer IDs. Raises NameRefused."""
    if file_name is None:
        return DataContext(format="standard")
    name = parse_name(file_name)
    sources = catalog.data_sources if catalog is not None else {}
    if name.family == "data":
        source = sources.get(name.dpid or 0)
        key: Any = "hashed_email" if source and source.label else source.key if source else name.dpid
        return DataContext(format=name.format, mode=name.mode, id_key=key)  # type: ignore[arg-type]
    labels = {dpid: str(sources[dpid].label) for dpid in name.dpids if dpid in sources and sources[dpid].label}
    if name.prefix == "c2c_id":
        labels = dict.fromkeys(name.dpids, "hashed_email")
    return SyncContext(prefix=name.prefix, master=name.master, dpids=list(name.dpids), labels=labels)  # type: ignore[arg-type]


def explain_line(line: str, context: DataContext | SyncContext) -> Explanation:
    """One line of a data file, or one row of a sync file."""
    (answer,) = answer_lines([Line(context=context, line=line)])
    said = answer["result"]
    if "skip" in said:
        return Explanation(said, [Fact("blank", "passed over and not counted", "INB-39")])
    code = said.get("reason") or said.get("reject") or said.get("excluded")
    if code is not None:
        reason = next(reason for reason in LINE_REASONS if reason.code == code)
        rule = reason.sync_rule or reason.rule if isinstance(context, SyncContext) else reason.rule
        return Explanation(said, refused=Fact(code, f"{reason.meaning}; counts as {reason.counter}", rule))
    if "ids" in said:
        first, *others = said["ids"]
        facts = [Fact(first, "the ID in the first column", "IDS-32")]
        return Explanation(said, facts + [Fact(other, "is linked to it", "IDS-60") for other in others])
    facts = [Fact(said["user_id"], "user ID", "INB-50")]
    if "id_type" in said:
        facts.insert(0, Fact(said["id_type"], "ID type", "INB-74"))
    for kind, *values in said["items"]:
        meaning, rule = _ITEMS[kind]
        facts.append(Fact("=".join(map(str, values)), meaning.format(*values), rule))
    return Explanation(said, facts)


# --- Rules and expressions

_CODES: dict[str, tuple[str, str]] = {
    "E_SYNTAX": ("TRT-030, SEG-020, OUT-045", "the grammar expects something else here"),
    "E_KEY": ("TRT-003", "no key: letters, digits, _ - and . with a letter before the first of these signs"),
    "E_RESERVED_KEY": ("TRT-007", "the platform consumes this key itself; it is never a signal"),
    "E_NUMBER": ("TRT-044", "< > <= >= compare with a decimal number"),
    "E_EMPTY_OPERAND": ("TRT-046, TRT-047", "nothing to look for"),
    "E_REGEX": ("TRT-048, TRT-049", "not a pattern that a linear-time engine can match"),
    "E_MATCHES_EMPTY": ("TRT-053, SEG-026", "true for who has nothing at all; add a condition that somebody must fulfil"),
    "E_UNKNOWN_TRAIT": ("SEG-027", "there is no such trait in the catalog"),
    "E_REC_OP": ("SEG-031", "recency takes <= or >="),
    "E_REC_VALUE": ("SEG-031", "recency is a whole number of days, 1 or more"),
    "E_FREQ_OP": ("SEG-032", "a count is compared by >=, <= or =="),
    "E_THIRD_PARTY": ("SEG-035", "only traits of one's own can be counted"),
    "E_TRAIT_TYPE": ("SEG-035", "only rule-based traits and folders can be counted"),
    "E_TOO_MANY_TRAITS": ("SEG-028", "more than 5,000 traits in one expression"),
    "E_UNKNOWN_MACRO": ("OUT-046", "no such macro"),
    "E_MACRO_CONTEXT": ("OUT-046", "this macro cannot stand in this template"),
    "E_UNKNOWN_ATTRIBUTE": ("OUT-050, OUT-051", "no such attribute"),
    "E_OPTION": ("OUT-042", "the option is unknown or does not fit the macro"),
    "E_FORMAT": ("OUT-047, OUT-048", "a format that is missing or not understood"),
    "E_NAME_CHARS": ("OUT-038", "a file name is made of A-Z a-z 0-9 . _ - only"),
    "E_DEPRECATED_MACRO": ("OUT-046", "this macro is no longer supported"),
}
_OPERATORS = {
    "==": "TRT-043", "!=": "TRT-043", "contains": "TRT-046", "startswith": "TRT-046", "endswith": "TRT-046",
    "matcheswords": "TRT-047", "matchesregex": "TRT-048",
} | dict.fromkeys(ORDERINGS, "TRT-044")  # fmt: skip


def _refusal(code: str, column: int, text: str) -> Explanation:
    rule, meaning = _CODES.get(code, ("", "refused"))
    return Explanation(code, refused=Fact(code, f"at column {column}: {meaning}", rule), pointer=(text, column))


def explain_rule(text: str, signals: Sequence[tuple[str, str]]) -> Explanation:
    """A trait rule: its comparisons, and whether a record of these signals satisfies them and the rule."""
    try:
        rule = parse_trait_rule(text)
    except RuleError as error:
        return _refusal(error.code, error.column, text)
    asked = [text, *(_written(comparison) for comparison in rule.comparisons)]
    with duckdb.connect() as con:
        whole, *parts = trait_rule_results(con, [{"rule": part, "signals": signals} for part in asked])
    keys = {key.lower() for key, _ in signals}
    facts = []
    for comparison, part, holds in zip(rule.comparisons, asked[1:], parts, strict=True):
        if comparison.key.lower() not in keys:
            facts.append(Fact(part, f"false: no signal {comparison.key}", "TRT-041"))
        else:
            facts.append(Fact(part, "true" if holds is True else "false", _OPERATORS[comparison.op]))
    return Explanation(whole, [*facts, Fact("the rule", "holds" if whole is True else "does not hold", "TRT-034")])


def _written(comparison: Comparison) -> str:
    operand = comparison.operand.replace("\\", "\\\\").replace('"', '\\"')
    return f'{comparison.key} {comparison.op} "{operand}"'


def explain_segment(text: str, catalog: Catalog | None) -> Explanation:
    """A segment expression: its terms, judged against the traits of the catalog if there is one."""
    facts_of = None
    if catalog is not None:
        foreign = {source.id for source in catalog.data_sources.values() if source.owner is not None}
        facts_of = {
            trait.id: TraitFacts(trait.kind, trait.data_source not in foreign, trait.contains)
            for trait in catalog.traits.values()
        }
    try:
        rule = parse_segment(text, facts_of)
    except RuleError as error:
        return _refusal(error.code, error.column, text)
    facts = []
    for term in rule.terms:
        if isinstance(term, Has):
            facts.append(Fact(f"{term.trait}T", f"holds {_trait(term.trait, catalog)}", "SEG-021"))
        else:
            facts.append(_frequency(term, catalog))
    return Explanation(True, [*facts, Fact("the expression", "valid; NOT binds before AND, AND before OR", "SEG-022")])


def _frequency(term: Frequency, catalog: Catalog | None) -> Fact:
    traits = ", ".join(f"{trait}T" for trait in term.traits)
    window = "ever" if term.window is None else f"{'at most' if term.window[0] == '<=' else 'at least'} {term.window[1]} days ago"
    what = " + ".join(_trait(trait, catalog) for trait in term.traits)
    return Fact(f"frequency([{traits}]) {term.op} {term.count}", f"realizations of {what}, {window}", "SEG-030 to SEG-034")


def _trait(trait_id: int, catalog: Catalog | None) -> str:
    trait = catalog.traits.get(trait_id) if catalog is not None else None
    return f"trait {trait_id}" + (f" ({trait.name})" if trait is not None and trait.name else "")


# --- Calls and templates


def explain_url(url: str) -> Explanation:
    """A call of the ID-sync service."""
    said = call_result(url)
    if "reject" in said:
        return Explanation(said, refused=Fact(said["reject"], "none of the calls /ibs:, /id, /event, /demoptout", "IDS-80"))
    facts = [Fact(said["call"], "the call", "IDS-80")]
    for namespace, value, auth in said["ids"]:
        state = "" if auth is None else f", {('unknown', 'authenticated', 'logged out')[int(auth)]}"
        facts.append(Fact(str(value), f"an ID of {namespace}{state}", "IDS-84, IDS-85, IDS-103"))
    facts += [Fact(f"error {code}", "see IDS-110", "IDS-110") for code in said["errors"]]
    consent = {"not_applicable": "no consent needed", "evaluate": "the consent string decides"}
    facts.append(Fact("consent", consent.get(said["consent"], f"refused: {said['consent']}"), "IDS-90, IDS-91"))
    if said.get("redir"):
        facts.append(Fact(said["redir"], "the caller is sent there", "IDS-86"))
    if said.get("redir_ignored"):
        facts.append(Fact("redir", "ignored, not http or https", "IDS-87"))
    return Explanation(said, facts)


def explain_template(text: str, kind: TemplateKind) -> Explanation:
    """A template of a destination: of its file name, header or content lines."""
    try:
        parse_template(text, kind)
    except TemplateError as error:
        return _refusal(error.code, error.column, text)
    (example,) = template_results(kind, [{"template": text, "context": _MADE_UP}])
    return Explanation(example, [Fact(example, f"what this {kind} template gives, with made-up values", "OUT-040 to OUT-051")])


_MADE_UP: dict[str, Any] = {
    "SYNC_TYPE": "s3", "ORDER_ID": 1234, "DPID": 888, "MASTER_DPID": 0, "PID": 1, "PID_ALIAS": "ALIAS", "SYNC_MODE": "iter",
    "ts_ms": 1700000000000, "part": None, "UUID": "1" + "0" * 36 + "1", "DP_UUID": "visitor-17", "MCID": "2" + "0" * 36 + "1",
    "DP_UUID_LIST": ["visitor-17", "visitor-18"], "SEGMENT_LIST": [{"sid": 900, "alias": None}, {"sid": 901, "alias": "loyal"}],
    "REMOVED_SEGMENT_LIST": [{"sid": 902, "alias": None}],
    "TRAIT_LIST": [{"traitId": 30, "type": 10, "lastRealized": 1700000000000}],
    "maps": [[888, "visitor-17", 1700000000]],
}  # fmt: skip
