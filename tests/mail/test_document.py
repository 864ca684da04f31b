"""The receipt as JSON and its rejected lines as CSV: valid, stable, complete, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from bsync_assets.exchange.receipts import Kind
from bsync_assets.mail import document
from bsync_assets.mail.document import left_out, receipt_json, rejected_csv, schema
from bsync_assets.mail.receipt import FileLine, Receipt, RejectedLine
from docs import make_docs

ReceiptOf = Callable[..., Receipt]
SENDER, ACCOUNT = "no-reply@northwind.example", "Northwind Outdoor"
PUBLISHED = Path(document.__file__).parent / "receipt.schema.json"


def as_json(receipt: Receipt, only: FileLine | None = None) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(receipt_json(receipt, SENDER, ACCOUNT, only))
    return content


def as_rows(receipt: Receipt) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rejected_csv(receipt).decode(), newline="")))


def problems(content: Any, declared: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(declared, format_checker=FormatChecker()).iter_errors(content)]


def closed(declared: Any) -> Any:
    """The schema, passing over nothing that it does not know."""
    if isinstance(declared, list):
        return [closed(part) for part in declared]
    if not isinstance(declared, dict):
        return declared
    shut = {name: closed(part) for name, part in declared.items()}
    return shut | {"additionalProperties": False} if "required" in declared and "properties" in declared else shut


def with_rejected(receipt: Receipt) -> Receipt:
    first, second = receipt.files
    lines = (
        RejectedLine(first.name, 3, "no_tab", "card***42"),
        RejectedLine(first.name, 7, "pii", "jane***om\tdept=***"),
        RejectedLine(second.name, 1, "no_matching_aam_id", None),
    )
    counted = [{"no_tab": 11, "pii": 1, "no_matching_aam_id": 180}, {"no_matching_aam_id": 10}]
    files = [replace(file, rejected=codes) for file, codes in zip(receipt.files, counted, strict=True)]
    return replace(receipt, files=tuple(files), lines=lines)


@pytest.mark.parametrize("kind", ["data", "id_sync", "refused"])
def test_every_kind_is_valid(kind: Kind, receipt_of: ReceiptOf) -> None:
    declared = json.loads(PUBLISHED.read_text())
    Draft202012Validator.check_schema(declared)
    receipt = receipt_of(kind)
    assert problems(as_json(receipt), closed(declared)) == []
    assert problems(as_json(receipt, only=receipt.files[-1]), closed(declared)) == []


def test_a_revision_with_all_there_is_to_say_is_valid(receipt_of: ReceiptOf) -> None:
    receipt = with_rejected(receipt_of())
    receipt = replace(receipt, revision=2, why="New links.", previous={**receipt.counters, "stored_records": 985})
    content = as_json(receipt)
    assert problems(content, closed(schema())) == []
    assert content["changes"] == [{"counter": "stored_records", "before": 985, "after": 990}]
    assert content["why"] == "New links."
    assert content["files"][0]["rejected"] == {"no_matching_aam_id": 180, "no_tab": 11, "pii": 1}
    assert content["reasons"].keys() == {"no_tab", "pii", "no_matching_aam_id"}
    assert content["reasons"]["pii"] == {
        "counter": "format_errors", "rule": "INB-71", "meaning": "an e-mail address in clear; send a hash instead",
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "bsync.receipt/2"},
        {"kind": "id_sync"},
        {"day": "5 January"},
        {"revision": 0},
        {"dpid": None},
        {"counters": {}},
        {"files": []},
        {"files": [{"name": "x", "status": "accepted", "refusal": None, "counters": {}, "rejected": {}}]},
        {"job_end": "2026-01-06 05:00:49"},
    ],
    ids=str,
)
def test_the_schema_notices(wrong: dict[str, Any], receipt_of: ReceiptOf) -> None:
    assert problems(as_json(receipt_of()) | wrong, schema())


def test_the_example_in_the_docs_is_valid() -> None:
    page = (Path(make_docs.__file__).parent / "receipts.md").read_text()
    example = json.loads(page.split("```json\n")[1].split("```")[0])
    assert problems(example, closed(schema())) == []


def test_the_schema_lets_later_additions_pass(receipt_of: ReceiptOf) -> None:
    assert problems(as_json(receipt_of()) | {"added_later": 1}, schema()) == []


def test_next_to_a_file_stands_that_file_alone(receipt_of: ReceiptOf) -> None:
    receipt = with_rejected(receipt_of())
    whole, part = as_json(receipt), as_json(receipt, only=receipt.files[1])
    assert (len(whole["files"]), len(part["files"]), part["file_count"]) == (2, 1, 2)
    assert part | {"files": whole["files"], "reasons": whole["reasons"]} == whole
    assert part["files"] == whole["files"][1:]


@pytest.mark.parametrize("kind", ["data", "id_sync", "refused"])
def test_same_receipt_same_bytes(kind: Kind, receipt_of: ReceiptOf) -> None:
    assert receipt_json(receipt_of(kind), SENDER, ACCOUNT) == receipt_json(receipt_of(kind), SENDER, ACCOUNT)
    assert rejected_csv(receipt_of(kind)) == rejected_csv(receipt_of(kind))


def test_refused_files_have_code_rule_and_remedy(receipt_of: ReceiptOf) -> None:
    files = as_json(receipt_of("refused"))["files"]
    assert files[0]["refusal"] == {
        "code": "bad_timestamp",
        "rule": "INB-19",
        "remedy": "the last number must be a time in seconds with exactly 10 digits",
    }
    assert files[1]["refusal"]["remedy"].startswith("data source 4242 is not declared; ask operations")


# --- CSV


def test_rows_of_the_csv_add_up_whatever_is_left_out(receipt_of: ReceiptOf) -> None:
    receipt = with_rejected(receipt_of())
    assert left_out(receipt) == 199
    rows = as_rows(receipt)
    assert [(row["file"][-4:], row["line"], row["reason"], row["rule"], row["lines"], row["sample"]) for row in rows] == [
        ("1.gz", "3", "no_tab", "INB-50", "1", "card***42"),
        ("1.gz", "7", "pii", "INB-71", "1", "jane***om\\tdept=***"),
        ("1.gz", "", "no_matching_aam_id", "INB-91", "180", ""),
        ("1.gz", "", "no_tab", "INB-50", "10", ""),
        ("2.gz", "1", "no_matching_aam_id", "INB-91", "1", ""),
        ("2.gz", "", "no_matching_aam_id", "INB-91", "9", ""),
    ]
    assert sum(int(row["lines"]) for row in rows) == 202


def test_the_rule_of_a_sync_file_is_that_of_sync_files(receipt_of: ReceiptOf) -> None:
    receipt = receipt_of("id_sync")
    (file,) = receipt.files
    receipt = replace(receipt, files=(replace(file, rejected={"pii": 1}),), lines=(RejectedLine(file.name, 1, "pii", "x"),))
    assert [row["rule"] for row in as_rows(receipt)] == ["IDS-55"]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '"=1', "a;=1", "a|+1", 'a,"-1', "x\n=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_no_cell_is_a_formula(text: str, separator: str, receipt_of: ReceiptOf) -> None:
    """Nor when a spreadsheet splits the row at another character than the comma, as those of half of Europe do."""
    receipt = receipt_of("id_sync")
    file = FileLine(f"{text}.sync", receipt.files[0].counters, rejected={"pii": 1})
    receipt = replace(receipt, files=(file,), lines=(RejectedLine(file.name, 1, "pii", text),))
    table = list(csv.reader(io.StringIO(rejected_csv(receipt).decode(), newline=""), delimiter=separator))
    assert len(table) == 2
    assert not [cell for row in table for cell in row if re.match(r"""[\s"]*[=+\-@＝＋－＠]""", cell)]


@settings(deadline=None)  # a busy machine is no failure
@given(name=st.text(st.characters()), sample=st.text(st.characters()))
def test_no_text_of_others_breaks_a_row(receipt_of: ReceiptOf, name: str, sample: str) -> None:
    receipt = receipt_of("id_sync")
    file = FileLine(name, receipt.files[0].counters, rejected={"no_tab": 2})
    receipt = replace(receipt, files=(file,), lines=(RejectedLine(name, 9, "no_tab", sample),))
    rows = as_rows(receipt)
    assert [(row["line"], row["reason"], row["lines"]) for row in rows] == [("9", "no_tab", "1"), ("", "no_tab", "1")]
    assert all((row["file"] + row["sample"]).isprintable() for row in rows)
    assert problems(as_json(receipt), closed(schema())) == []
