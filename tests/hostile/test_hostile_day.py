"""A day of hostile names and lines through the real job: all is recorded, and refused or stored as plain data."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
import yaml
from hostile.attacks import CONTROLS, GOOD, PAYLOADS, keys, lines, names
from transport.fixtures import s3, s3_service
from transport.servers import S3Server
from workspaces import write_inbound, write_workspace

from bsync_assets.assets.inbound_files import take_stock
from bsync_assets.assets.reports import report_file
from bsync_assets.runs import run_days
from bsync_assets.warehouse.lake import attach
from bsync_assets.workspace import open_catalog

__all__ = ["s3", "s3_service"]

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SQL_RULE = "'; DROP TABLE lake.main.receipts; --"
CATALOG = {
    "partners": [
        {"name": "acme", "id": 7, "contacts": ["data@acme.example"]},
        {"name": "globex", "id": 8, "contacts": ["data@globex.example"]},
    ],
    "data_sources": [
        {"id": 1001, "name": "Acme'; DROP TABLE receipts; -- <b>&", "owner": "acme", "type": "cross_device"},
        {"id": 2001, "name": "Globex", "owner": "globex"},
    ],
    "traits": [
        {"id": 30, "name": "<script>alert(1)</script>", "data_source": 1001},
        {"id": 31, "data_source": 1001, "rule": f'k == "{SQL_RULE}"'},
        {"id": 40, "data_source": 2001},
    ],
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[logging.LogRecord]]:
    """(workspace after the day, the names that were dropped, what was logged)"""
    home = tmp_path_factory.mktemp("hostile") / "home"
    write_workspace(home, CATALOG, DAY)
    dropped = []
    for name in dict.fromkeys(names()):
        if name in (".", "..") or len(name.encode()) > 255:
            continue
        write_inbound(home, "acme", DAY, name, b"user1\td_sid=30\n", NOON)
        if not name.startswith(".") and not name.endswith((".tmp", ".part", ".filepart", ".partial")):
            dropped.append(name)
    write_inbound(home, "acme", DAY, "ftp_dpm_1001_1767614499.sync", b"\n".join(lines()) + b"\n", NOON)
    write_inbound(home, "globex", DAY, "ftp_dpm_2001_1767614400.sync", b"user1\td_sid=40\n", NOON)
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keep()
    logging.getLogger("bsync").addHandler(handler)
    logging.getLogger("bsync").setLevel(logging.DEBUG)
    before = Path.cwd()
    os.chdir(home)
    try:
        assert run_days(home, DAY, DAY)
    finally:
        os.chdir(before)
        logging.getLogger("bsync").removeHandler(handler)
    return home, dropped, records


def query(home: Path, text: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home / "lake/bsync.duckdb"), read_only=True) as views:
        return views.execute(text).fetchall()


def test_every_name_is_recorded_as_it_is_and_refused_with_a_code(ran: tuple[Path, list[str], object]) -> None:
    home, dropped, _ = ran
    assert len(dropped) > 700
    rows = query(home, "SELECT key, status, reject_reason FROM inbound_files WHERE partner = 'acme'")
    recorded = {str(key).removeprefix(f"acme/date={DAY}/"): (status, reason) for key, status, reason in rows}
    assert set(recorded) == {*dropped, "ftp_dpm_1001_1767614499.sync"}
    accepted = {name for name, (status, _) in recorded.items() if status == "accepted"}
    assert accepted == {"ftp_dpm_1001_1767614499.sync"}
    assert all(reason for status, reason in recorded.values() if status == "refused")


def test_every_line_is_accounted_for_and_the_receipt_balances(ran: tuple[Path, list[str], object]) -> None:
    home, _, _ = ran
    file = f"acme/date={DAY}/ftp_dpm_1001_1767614499.sync"
    physical = b"\n".join(lines()).split(b"\n")
    blank = sum(1 for line in physical if not line.removesuffix(b"\r").strip(b" "))
    assert len(physical) > 700
    received = query(
        home, f"SELECT sum(records_received), bool_and(balanced) FROM receipts WHERE partner = 'acme' AND day = '{DAY}'"
    )
    others = query(home, f"SELECT count(*) FROM inbound_files WHERE partner = 'acme' AND status = 'accepted' AND key <> '{file}'")
    assert received == [(len(physical) - blank + int(str(others[0][0])), True)]


def test_a_value_that_is_SQL_is_compared_as_text(ran: tuple[Path, list[str], object]) -> None:
    home, _, _ = ran
    assert query(home, "SELECT count(*) FROM profile_traits WHERE trait_id = 31") in ([(0,)], [(1,)], [(2,)])
    assert query(home, "SELECT count(*) > 0 FROM receipts") == [(True,)]


def test_nothing_is_written_outside_and_nothing_was_started(ran: tuple[Path, list[str], object]) -> None:
    home, _, _ = ran
    assert not list(home.parent.rglob("pwned*"))
    assert {path.name for path in home.iterdir()} <= {"bsync.yaml", "catalog", "inbox", "lake", "outbox", "mail", "dagster"}
    assert [path.name for path in home.parent.iterdir()] == ["home"]


def test_no_log_line_is_broken_up_by_a_name(ran: tuple[Path, list[str], list[logging.LogRecord]]) -> None:
    _, _, records = ran
    assert records
    for record in records:
        if record.name == "bsync.inbound_files":
            assert record.getMessage().isprintable(), record.getMessage()


def test_no_header_of_a_message_is_broken_up_and_none_goes_to_others(ran: tuple[Path, list[str], object]) -> None:
    home, _, _ = ran
    sent = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (home / "mail/new").iterdir()]
    assert sent
    for message in sent:
        for name, value in message.items():
            assert "\n" not in str(value)
            assert "\r" not in str(value)
            assert name.lower() != "bcc"
        recipients = f"{message['To']} {message['Cc'] or ''}"
        assert "x@y.example" not in recipients
        assert not ("acme" in recipients and "globex" in recipients)
        for part in message.walk():
            if part.get_content_type() == "text/html":
                html = part.get_content()
                assert "<script" not in html
                assert "<img src=x" not in html
                assert "<svg" not in html


def test_the_report_of_the_day_shows_every_name_as_text(ran: tuple[Path, list[str], object]) -> None:
    home, dropped, _ = ran
    text = report_file(home, DAY).read_text()
    seen: set[tuple[str, str]] = set()
    words: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.update((tag, name) for name, _ in attrs)
            seen.add((tag, ""))

        def handle_data(self, data: str) -> None:
            words.append(data)

    Reader(convert_charrefs=True).feed(text)
    assert not {tag for tag, _ in seen} & {"script", "img", "iframe", "object", "embed", "link", "a", "form", "base"}
    assert not {name for _, name in seen if name.startswith("on") or name in ("src", "href", "srcset", "xlink:href")}
    printable = {f"acme/date={DAY}/{name}" for name in dropped if name.isprintable()}
    assert len(printable) > 500
    assert printable <= {*words, f"acme/date={DAY}/ftp_dpm_1001_1767614499.sync"}
    assert "30 <script>alert(1)</scri…" in words  # cut to the width of the picture
    assert "".join(words).replace("\n", "").isprintable()


def test_keys_of_a_bucket_that_lead_elsewhere_are_recorded_and_never_read(tmp_path: Path, s3: S3Server) -> None:
    home = tmp_path / "home"
    write_workspace(home, CATALOG, DAY)
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"inbox": s3.url("hostile")}))
    s3.add_objects([f"hostile/acme/date={DAY}/{key}" for key in keys()] + [f"hostile/globex/date={DAY}/{GOOD}"])
    with duckdb.connect() as con:
        attach(con, home)
        counts = take_stock(con, open_catalog(home), DAY, ["acme", "globex"])
        rows = con.execute("SELECT key, status, reject_reason FROM lake.main.inbound_files WHERE partner = 'acme'").fetchall()
    assert counts["acme"]["accepted"] == 0
    assert counts["acme"]["waiting"] == 0
    assert len(rows) >= 10
    assert {status for _, status, _ in rows} == {"refused"}


def test_the_tables_of_attacks_are_large_enough() -> None:
    assert len(PAYLOADS) + len(CONTROLS) > 180
    assert len({json.dumps(name) for name in names()}) > 700
