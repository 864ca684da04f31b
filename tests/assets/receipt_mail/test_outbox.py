"""The outbox against real servers: what fails waits, what was sent stays sent, the day's data does not care.

One small day is run while nobody listens at the mail server and something lies in the way of Acme's copies; each test goes on
from there.
"""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from mail.smtp import DATA, GONE, OPS, Inbox, serving
from workspaces import write_inbound, write_workspace

from bsync_assets.assets.receipt_mail import send_due
from bsync_assets.catalog.models import MailSettings
from bsync_assets.runs import run_days
from bsync_assets.warehouse.lake import attach, fetch_all
from bsync_assets.workspace import open_catalog

DAY = date(2026, 2, 2)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1, "contacts": [DATA, GONE]}, {"name": "zephyr", "id": 2}],
    "data_sources": [
        {"id": 1001, "owner": "acme", "type": "cross_device"},
        {"id": 1002, "owner": "zephyr", "type": "cross_device"},
    ],
    "traits": [{"id": 24, "data_source": 1001}, {"id": 26, "data_source": 1002}],
}
GOOD, BROKEN, SYNC = "ftp_dpm_1001_1769990400.sync", "ftp_dpm_1001_1769990500.sync.gz", "adobe_id_0_1001_1769990600.sync"
OTHER = "ftp_dpm_1002_1769990400.sync"
MESSAGES = 4  # three of Acme's (data, ID sync, refused), one of Zephyr's
TIMEOUT = 0.5


def folder(home: Path, partner: str = "acme") -> Path:
    return home / "inbox" / partner / f"date={DAY}"


def mail_goes_to(home: Path, port: int) -> None:
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    settings["mail"] |= {"transport": "smtp", "port": port, "timeout_seconds": TIMEOUT, "ops": [OPS]}
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def after_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("outbox") / "home"
    write_workspace(home, CATALOG, start=DAY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mail_goes_to(home, listener.getsockname()[1])
    noon = datetime(2026, 2, 2, 12, tzinfo=UTC)
    write_inbound(home, "acme", DAY, GOOD, b"A\td_sid=24\nB\td_sid=24\nno tab\n", noon)
    write_inbound(home, "acme", DAY, BROKEN, gzip.compress(b"C\td_sid=24\n")[:-3], noon + timedelta(minutes=1))
    write_inbound(home, "acme", DAY, SYNC, b"9" * 38 + b"\tA\n", noon)
    write_inbound(home, "zephyr", DAY, OTHER, b"Z\td_sid=26\n", noon)
    (folder(home) / f"{GOOD}.receipt.json").mkdir()
    assert run_days(home, DAY, DAY)
    return home


@pytest.fixture
def home(after_the_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(after_the_run, tmp_path / "home")
    return tmp_path / "home"


def send(home: Path, settings: MailSettings) -> dict[str, int]:
    mail_goes_to(home, settings.port)
    with duckdb.connect() as con:
        attach(con, home)
        return send_due(con, open_catalog(home))


def outbox(home: Path, channel: str = "mail") -> list[dict[str, Any]]:
    """The latest entry of each message."""
    with duckdb.connect() as con:
        attach(con, home)
        query = "FROM lake.main.mail_outbox QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY attempts DESC) = 1"
        return [row for row in fetch_all(con, f"{query} ORDER BY partner, kind") if row["channel"] == channel]


def message_ids(inbox: Inbox) -> Counter[str]:
    return Counter(str(message_from_bytes(content)["Message-ID"]).strip() for _, _, content in inbox.taken)


def copies(home: Path, partner: str = "acme") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder(home, partner).glob("*.receipt.json")) if path.is_file()}


# --- The run itself


def test_a_day_without_mail_server_is_a_day_like_any_other(after_the_run: Path) -> None:
    with duckdb.connect(str(after_the_run / "lake/bsync.duckdb"), read_only=True) as views:
        assert views.execute("SELECT partner, stored_records, format_errors FROM receipts ORDER BY ALL").fetchall() == [
            ("acme", 2, 1),
            ("zephyr", 1, 0),
        ]
        assert views.execute("SELECT count(*) FROM profile_traits").fetchone() == (3,)
        waiting = views.execute("SELECT channel, status, count(*) FROM mail_outbox GROUP BY ALL ORDER BY ALL").fetchall()
    assert waiting == [("file", "due", 3), ("file", "sent", 1), ("mail", "due", MESSAGES)]


def test_what_could_not_be_sent_says_why_and_when_it_is_tried_next(after_the_run: Path) -> None:
    """After the first refusal the rest is not tried: a run waits for one timeout, not for one per message."""
    mail = outbox(after_the_run)
    assert sorted(row["attempts"] for row in mail) == [0, 0, 0, 1]
    (tried,) = [row for row in mail if row["attempts"]]
    assert "cannot be reached" in tried["last_error"]
    assert tried["next_try"] > tried["written_at"]


# --- SMTP


def test_4xx_then_accepted(home: Path) -> None:
    inbox = Inbox(text=["451 try again later"])
    with serving(inbox) as settings:
        assert send(home, settings)["waiting"] >= MESSAGES
        assert inbox.taken == []
        assert send(home, settings)["sent"] == MESSAGES
        assert send(home, settings)["sent"] == 0
    assert set(message_ids(inbox).values()) == {1}
    assert {row["status"] for row in outbox(home)} == {"sent"}


def test_5xx_for_one_recipient_is_final_for_that_one_and_nobody_else(home: Path) -> None:
    inbox = Inbox(to={GONE: ["550 no such user"] * MESSAGES})
    with serving(inbox) as settings:
        counts = send(home, settings)
        assert (counts["sent"], counts["failed"]) == (1, 3)
        send(home, settings)
    assert [(row["partner"], row["status"], row["recipients"]) for row in outbox(home)] == [
        *[("acme", "failed", [GONE])] * 3,
        ("zephyr", "sent", [OPS]),
    ]
    assert sorted(recipients for _, recipients, _ in inbox.taken) == [[OPS], *[[OPS, DATA]] * 3]


def test_disconnect_after_the_text_is_sent_again_under_one_message_id(home: Path) -> None:
    inbox = Inbox(hang_up=True)
    with serving(inbox) as settings:
        send(home, settings)
        assert len(inbox.taken) == 1
        inbox.hang_up = False
        assert send(home, settings)["sent"] == MESSAGES
    assert sorted(message_ids(inbox).values()) == [1, 1, 1, 2]
    assert message_ids(inbox).keys() == {row["message_id"] for row in outbox(home)}


def test_a_server_that_accepts_very_slowly_holds_up_the_run_for_one_timeout_in_all(home: Path) -> None:
    inbox = Inbox(delay_seconds=0.3)
    with serving(inbox) as settings:
        counts = send(home, settings)
        assert counts["sent"] <= 1, "two would take longer than the one timeout that all have together"
        inbox.delay_seconds = 0
        while counts["waiting"] > 3:  # Acme's copies
            counts = send(home, settings)
    assert {row["status"] for row in outbox(home)} == {"sent"}
    assert message_ids(inbox).keys() == {row["message_id"] for row in outbox(home)}


KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb
from bsync_assets.assets import receipt_mail
from bsync_assets.warehouse.lake import attach
from bsync_assets.workspace import open_catalog

receipt_mail._remember = lambda con, entries: os.kill(os.getpid(), signal.SIGKILL)
with duckdb.connect() as con:
    home = Path(sys.argv[1])
    attach(con, home)
    receipt_mail.send_due(con, open_catalog(home))
"""


def test_a_kill_between_sending_and_our_commit_ends_in_one_message_and_the_same_copies(home: Path) -> None:
    (folder(home) / f"{GOOD}.receipt.json").rmdir()
    inbox = Inbox()
    with serving(inbox) as settings:
        mail_goes_to(home, settings.port)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(home)], capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(inbox.taken) == MESSAGES
        written = copies(home)
        assert len(written) == 3
        assert {row["status"] for row in outbox(home)} == {"due"}
        assert send(home, settings) == {"sent": MESSAGES + 3, "failed": 0, "waiting": 0}
    assert set(message_ids(inbox).values()) == {2}
    assert len({content for _, _, content in inbox.taken}) == MESSAGES, "the same bytes under the same Message-ID"
    assert copies(home) == written


# --- Copies


def test_what_lies_in_the_way_of_a_copy_stops_no_other_partner_and_is_tried_again(home: Path) -> None:
    assert copies(home) == {}
    assert json.loads(copies(home, "zephyr")[f"{OTHER}.receipt.json"])["counters"]["stored_records"] == 1
    waiting = [row for row in outbox(home, "file") if row["status"] == "due"]
    assert len(waiting) == 3
    assert any(f"{GOOD}.receipt.json" in (row["last_error"] or "") for row in waiting)

    (folder(home) / f"{GOOD}.receipt.json").rmdir()
    with serving(Inbox()) as settings:
        assert send(home, settings)["waiting"] == 0
    assert {name: json.loads(content)["kind"] for name, content in copies(home).items()} == {
        f"{GOOD}.receipt.json": "data",
        f"{BROKEN}.receipt.json": "refused",
        f"{SYNC}.receipt.json": "id_sync",
    }
    refusal = json.loads(copies(home)[f"{BROKEN}.receipt.json"])["files"][0]["refusal"]
    assert (refusal["code"], refusal["rule"]) == ("bad_gzip", "INB-40")
    assert {row["status"] for row in outbox(home, "file")} == {"sent"}


def test_a_file_that_came_again_under_its_name_keeps_the_later_answer(home: Path) -> None:
    """The notice about the first one still waits when the receipt of the second is written."""
    later = datetime(2026, 2, 2, 13, tzinfo=UTC)
    write_inbound(home, "acme", DAY, BROKEN, gzip.compress(b"C\td_sid=24\n"), later)
    assert run_days(home, DAY, DAY)
    (folder(home) / f"{GOOD}.receipt.json").rmdir()
    with serving(Inbox()) as settings:
        assert send(home, settings)["waiting"] == 0
    answer = json.loads(copies(home)[f"{BROKEN}.receipt.json"])
    assert (answer["kind"], answer["batch"], answer["counters"]["stored_records"]) == ("data", 2, 1)
    assert json.loads(copies(home)[f"{GOOD}.receipt.json"])["batch"] == 1
