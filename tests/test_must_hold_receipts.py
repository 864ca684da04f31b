"""Receipts as delivered: every figure is a query over the published views, and mail, attachments and copies say the same."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from demo import connect, messages
from jsonschema import Draft202012Validator

from bsync_assets.exchange.reasons import DATA_COUNTERS, LINE_REASONS, SYNC_COUNTERS
from bsync_assets.mail.document import schema
from docs import make_docs

DOCS = Path(make_docs.__file__).parent
COUNTER = {reason.code: reason.counter for reason in LINE_REASONS}
#: Figures that say why a line was not stored; each is the sum of its reasons.
LOSSES = set(COUNTER.values())


@pytest.mark.parametrize(
    ("query", "view", "key", "counters"),
    [
        ("receipt_figures.sql", "receipts", "day, partner, dpid, target, batch, revision", DATA_COUNTERS),
        ("sync_receipt_figures.sql", "id_sync_receipts", "day, partner, file, batch, revision", SYNC_COUNTERS),
    ],
    ids=["data", "id_sync"],
)
def test_every_figure_equals_a_query_over_the_views(query: str, view: str, key: str, counters: Any, demo: Path) -> None:
    columns = ", ".join((key, *(counter.name for counter in counters)))
    with connect(demo) as connection:
        counted = connection.execute(
            f"SELECT {columns} FROM ({(DOCS / query).read_text().rstrip().removesuffix(';')})"
        ).fetchall()
        stated = connection.execute(f"SELECT {columns} FROM {view}").fetchall()
    assert sorted(map(str, counted)) == sorted(map(str, stated))
    assert len(stated) > 5


def attached(message: EmailMessage) -> dict[str, bytes]:
    """Content of the attachments by media type."""
    return {part.get_content_type(): part.get_payload(decode=True) for part in message.iter_attachments()}  # type: ignore[misc]


def documents(home: Path) -> Iterator[tuple[dict[str, Any], EmailMessage]]:
    for message in messages(home):
        yield json.loads(attached(message)["application/json"]), message


def test_every_mail_of_the_demo_carries_its_figures(demo: Path) -> None:
    validator = Draft202012Validator(schema())
    kinds = Counter[str]()
    for receipt, message in documents(demo):
        kinds[receipt["kind"]] += 1
        assert list(validator.iter_errors(receipt)) == []
        assert receipt["message_id"] == str(message["Message-ID"]).strip()
        if receipt["kind"] == "refused":
            assert list(attached(message)) == ["application/json"]
            assert all(file["refusal"]["remedy"] for file in receipt["files"])
            continue
        text = message.get_body(("plain",))
        assert text is not None
        for counter in DATA_COUNTERS if receipt["kind"] == "data" else SYNC_COUNTERS:
            value = receipt["counters"][counter.name]
            assert any(line.split() == [*counter.label.split(), str(value)] for line in text.get_content().splitlines())
            if counter.name != "total_devices":  # INB-137
                assert sum(file["counters"].get(counter.name, 0) for file in receipt["files"]) == value, counter.name
    assert kinds.keys() == {"data", "id_sync", "refused"}


def test_the_rejected_lines_add_up_to_the_counters_in_json_and_csv(demo: Path) -> None:
    seen = set()
    for receipt, message in documents(demo):
        if receipt["kind"] == "refused":
            continue
        table = list(csv.DictReader(io.StringIO(attached(message)["text/csv"].decode(), newline="")))
        by_reason, by_file = Counter[str](), Counter[Any]()
        for row in table:
            by_reason[COUNTER[row["reason"]]] += int(row["lines"])
            by_file[row["file"], row["reason"]] += int(row["lines"])
            assert row["rule"]
        assert by_reason == +Counter({name: n for name, n in receipt["counters"].items() if name in LOSSES})
        assert by_file == {(file["name"], code): n for file in receipt["files"] for code, n in file["rejected"].items()}
        assert not [row for row in table if not row["line"]], "nothing is left out of so few lines"
        seen |= set(by_reason)
    assert seen == LOSSES - {"opted_out"}


def test_next_to_every_file_lies_what_was_said_of_it_last(demo: Path) -> None:
    last: dict[str, dict[str, Any]] = {}
    for receipt, _ in documents(demo):
        for file in receipt["files"]:
            if receipt["revision"] >= last.get(file["name"], receipt)["revision"]:
                last[file["name"]] = receipt | {"files": [file]}
    copies = {
        path.relative_to(demo / "inbox").as_posix().removesuffix(".receipt.json"): json.loads(path.read_bytes())
        for path in (demo / "inbox").rglob("*.receipt.json")
    }
    assert copies.keys() == last.keys()
    with connect(demo) as connection:
        assert copies.keys() == {key for (key,) in connection.execute("SELECT key FROM inbound_files").fetchall()}
    for name, receipt in last.items():
        codes = receipt["files"][0]["rejected"]
        assert copies[name] == receipt | {"reasons": {code: receipt["reasons"][code] for code in codes}}
