"""A receipt for programs and spreadsheets: as JSON, with its schema, and its rejected lines as CSV.

Everything here is a pure function: the same receipt gives the same bytes. Not here: the mail that carries them (`render`), where
a copy lies (stage `receipt_mail`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from bsync_assets.exchange.reasons import FILE_REASONS, LINE_REASONS, Reason
from bsync_assets.exchange.receipts import EQUATIONS, Kind
from bsync_assets.mail.receipt import LABELS, FileLine, Receipt, message_id, target_of, visible

#: Grows by one when something is renamed, taken away or means something else; what is added changes nothing.
VERSION = "bsync.receipt/1"

#: Rejected lines of one receipt that are listed; the others are counted, by file and reason.
LISTED_LINES = 5000

_REASONS = {reason.code: reason for reason in LINE_REASONS}
_CSV_COLUMNS = ("file", "line", "reason", "rule", "lines", "sample")


# --- JSON -----------------------------------------------------------------------------------------


def receipt_json(receipt: Receipt, sender: str, account_name: str, only: FileLine | None = None) -> bytes:
    """The receipt as JSON of the schema `schema()`, in ASCII; with `only` that one file is listed, as next to the file itself."""
    data, sync = receipt.kind == "data", receipt.kind == "id_sync"
    files = receipt.files if only is None else (only,)
    codes = sorted({code for file in files for code in file.rejected if code in _REASONS})
    before = receipt.previous or {}
    content = {
        "schema": VERSION,
        "kind": receipt.kind,
        "message_id": message_id(receipt, sender, account_name),
        "account": account_name,
        "partner": receipt.partner,
        "day": receipt.day.isoformat(),
        "batch": receipt.batch,
        "revision": receipt.revision,
        "why": receipt.why,
        "changes": [
            {"counter": name, "before": before[name], "after": value}
            for name, value in receipt.counters.items()
            if name in before and before[name] != value
        ],
        "dpid": receipt.dpid if data else None,
        "target": target_of(receipt) if data else None,
        "dpids": list(receipt.dpids) if sync else [],
        "run_id": receipt.run_id or None,
        "job_start": None if receipt.kind == "refused" else _moment(receipt.job_start),
        "job_end": None if receipt.kind == "refused" else _moment(receipt.job_end),
        "counters": dict(receipt.counters),
        "file_count": len(receipt.files),
        "files": [_file(file) for file in files],
        "reasons": {code: _meaning(receipt.kind, _REASONS[code]) for code in codes},
    }
    return (json.dumps(content, indent=2) + "\n").encode("ascii")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _file(file: FileLine) -> dict[str, Any]:
    refusal = None
    if file.reject_reason is not None:
        rule, remedy = FILE_REASONS.get(file.reject_reason, ("", ""))
        texts = filter(None, (file.problem, file.remedy)) if file.problem or file.remedy else (remedy,)
        refusal = {"code": file.reject_reason, "rule": rule, "remedy": "; ".join(texts)}
    return {
        "name": file.name,
        "status": "accepted" if refusal is None else "refused",
        "refusal": refusal,
        "counters": dict(file.counters),
        "rejected": dict(sorted(file.rejected.items())),
    }


def _meaning(kind: Kind, reason: Reason) -> dict[str, str]:
    return {"counter": reason.counter, "rule": _rule(kind, reason.code), "meaning": reason.meaning}


def _rule(kind: Kind, code: str) -> str:
    reason = _REASONS.get(code)
    if reason is None:
        return ""
    return (reason.sync_rule if kind == "id_sync" else "") or reason.rule


def schema() -> dict[str, Any]:
    """The JSON Schema of `receipt_json`, made from the figures that are declared."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    number = {"type": "integer", "minimum": 1}
    namespace = {"type": "integer", "minimum": 0, "maximum": 10**10 - 1}
    moment = {"type": ["string", "null"], "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}

    def optional(declared: dict[str, Any]) -> dict[str, Any]:
        return declared | {"type": [declared["type"], "null"]}

    def described(declared: dict[str, Any], description: str) -> dict[str, Any]:
        return declared | {"description": description}

    def of_all(properties: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "required": list(properties), "properties": properties}

    def counters(kind: Kind) -> dict[str, Any]:
        return of_all({name: described(count, label) for name, label in LABELS[kind].items()})

    def of_kind(kind: Kind) -> dict[str, Any]:
        terms = sorted({term for equation in EQUATIONS[kind] for term in equation.terms})
        figures = {"properties": {"counters": {"required": terms}}}
        files = {"if": {"properties": {"status": {"const": "accepted"}}}, "then": figures if terms else False}
        named = {"data": ["dpid", "target"], "id_sync": [], "refused": []}[kind]
        properties: dict[str, Any] = {"kind": {"const": kind}, "counters": {"$ref": f"#/$defs/{kind}_counters"}}
        properties |= {name: {"type": "integer"} for name in named}
        properties |= {"dpids": {"minItems": 2}} if kind == "id_sync" else {}
        return {"properties": properties | {"files": {"items": files}}}

    kinds: tuple[Kind, ...] = ("data", "id_sync", "refused")
    refusal = of_all({
        "code": described(text, "why the file was refused, see docs/codes.md"),
        "rule": described(text, "the rule that says so"),
        "remedy": described(text, "what it means and what to do"),
    })  # fmt: skip
    file = of_all({
        "name": described(text, "where the file lay below the inbox"),
        "status": {"enum": ["accepted", "refused"]},
        "refusal": described(
            refusal | {"type": ["object", "null"]},
            "why nothing of it is stored: it was refused, is held, or was retracted; null for an accepted file",
        ),
        "counters": {
            "type": "object", "additionalProperties": count,
            "description": "figures of this file; they add up to those of the receipt. total_devices does not and is left out",
        },
        "rejected": {
            "type": "object", "additionalProperties": number,
            "description": "lines that were not stored, by reason code; their sums are figures of the receipt",
        },
    })  # fmt: skip
    reason = of_all({
        "counter": described(text, "the figure that counts these lines"),
        "rule": described(text, "the rule that says so"),
        "meaning": text,
    })  # fmt: skip
    change = of_all({"counter": text, "before": count, "after": count})
    top = of_all({
        "schema": {"const": VERSION},
        "kind": described({"enum": list(kinds)}, "receipt of data files, receipt of ID-sync files, or notice of refused files"),
        "message_id": described(text, "Message-ID of the mail, the same at every attempt; tells receipts and revisions apart"),
        "account": described(text, "who took the files in"),
        "partner": described(text, "who sent them"),
        "day": described(text | {"format": "date"}, "business day (UTC)"),
        "batch": described(number, "which pick-up of the day it covers"),
        "revision": described(number, "a later one replaces the figures of an earlier one"),
        "why": described(optional(text), "why a later revision was issued"),
        "changes": {"type": "array", "items": change, "description": "what differs from the revision before"},
        "dpid": described(optional(namespace), "data files: data source of the user IDs"),
        "target": described(optional(namespace), "data files: data source whose traits they may change"),
        "dpids": {"type": "array", "items": namespace, "description": "ID-sync files: namespaces of the columns"},
        "run_id": described(optional(text), "run that issued this revision"),
        "job_start": described(moment, "start of that run (UTC)"),
        "job_end": described(moment, "when the figures were final (UTC)"),
        "counters": described({"type": "object"}, "the figures, as on the mail; none for refused files"),
        "file_count": described(number, "files covered"),
        "files": {
            "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/file"},
            "description": "all of them, or, in the copy next to a file, that file alone",
        },
        "reasons": {
            "type": "object", "additionalProperties": {"$ref": "#/$defs/reason"},
            "description": "what the reason codes under `rejected` mean",
        },
    })  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:bsync:receipt:1",
        "title": "Receipt",
        "description": "What became of the files of one pick-up. Readers pass over properties that they do not know.",
        **top,
        "oneOf": [of_kind(kind) for kind in kinds],
        "$defs": {"file": file, "reason": reason} | {f"{kind}_counters": counters(kind) for kind in kinds},
    }


def schema_text() -> str:
    """The schema as it is published, in `receipt.schema.json`."""
    return json.dumps(schema(), indent=2) + "\n"


# --- CSV ------------------------------------------------------------------------------------------


def left_out(receipt: Receipt) -> int:
    """How many of the rejected lines are not listed."""
    return sum(sum(file.rejected.values()) for file in receipt.files) - len(receipt.lines)


def rejected_csv(receipt: Receipt) -> bytes:
    """The rejected lines as CSV (RFC 4180, UTF-8): file, line, reason, rule, lines, masked sample.

    Lines that are not listed stand behind those of their file, a row per reason: without `line`, and `lines` says how many. So
    `lines` sums up to the figures of the receipt, whatever was left out.
    """
    listed = Counter((line.file, line.reason) for line in receipt.lines)
    by_file: dict[str, list[tuple[Any, ...]]] = {file.name: [] for file in receipt.files}
    for line in receipt.lines:
        by_file[line.file].append((line.number, line.reason, _rule(receipt.kind, line.reason), 1, line.sample or ""))
    for file in receipt.files:
        for code, lines in sorted(file.rejected.items()):
            if rest := lines - listed[file.name, code]:
                by_file[file.name].append(("", code, _rule(receipt.kind, code), rest, ""))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_CSV_COLUMNS)
    for name, rows in by_file.items():
        first = _cell(name)
        table.writerows([first, *row[:-1], _cell(row[-1])] for row in rows)
    return text.getvalue().encode("utf-8")


_FORMULA = re.compile(r"(^|[;,|])([\s'\"]*)(?=[=+\-@＝＋－＠])")


def _cell(text: str) -> str:
    """Text of others as one cell that no spreadsheet takes for a formula, also one that splits cells at other characters."""
    return _FORMULA.sub(r"\1\2'", visible(text))
