"""The arrival sensors, evaluated as Dagster's daemon does, over a workspace on disk; and the run they ask for, run."""

from __future__ import annotations

import json
import mailbox
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from workspaces import write_inbound, write_workspace

from bsync_assets.assets.graph import SHARED_STAGES, build_defs
from bsync_assets.runs import dagster_home, run_days

TODAY = datetime.now(UTC).date()
START = TODAY - timedelta(days=3)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1, "contacts": ["data@acme.example"]}, {"name": "zephyr", "id": 2}],
    "data_sources": [
        {"id": 1001, "owner": "acme", "type": "cross_device"},
        {"id": 1002, "owner": "zephyr", "type": "cross_device"},
    ],
    "traits": [{"id": 24, "data_source": 1001}, {"id": 26, "data_source": 1002}],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write_workspace(home, CATALOG, start=START)
    return home


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    dagster_home(home)
    with dg.DagsterInstance.get() as instance:
        yield instance


def drop(home: Path, partner: str, day: date, name: str, content: bytes) -> None:
    """A file that arrived long enough ago not to be taken for one that is still being written."""
    write_inbound(home, partner, day, name, content, datetime.now(UTC) - timedelta(hours=1))


def tick(home: Path, instance: dg.DagsterInstance, sensor: str, cursor: str | None = None) -> Any:
    defs = build_defs(home=home)
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs)
    return defs.get_repository_def().get_sensor_def(sensor).evaluate_tick(context)


def run_requested(home: Path, instance: dg.DagsterInstance, request: dg.RunRequest) -> None:
    """What the daemon would launch, in this process."""
    job = build_defs(home=home).resolve_job_def("daily")
    done = job.execute_in_process(instance=instance, tags=request.tags, asset_selection=list(request.asset_selection or ()))
    assert done.success


def receipts(home: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "lake" / "bsync.duckdb"), read_only=True) as views:
        return views.execute("SELECT day, partner, batch, revision, stored_records FROM receipts ORDER BY ALL").fetchall()


def messages(home: Path) -> list[Any]:
    return list(mailbox.Maildir(home / "mail"))


def test_a_file_of_today_and_a_late_one_get_receipts_of_their_own(home: Path, instance: dg.DagsterInstance) -> None:
    yesterday = TODAY - timedelta(days=1)
    drop(home, "acme", yesterday, "ftp_dpm_1001_1700000001.sync", b"A\td_sid=24\n")
    drop(home, "zephyr", yesterday, "ftp_dpm_1002_1700000001.sync", b"Z\td_sid=26\n")
    assert run_days(home, START, yesterday)
    assert tick(home, instance, "arrivals").run_requests == []

    drop(home, "acme", yesterday, "ftp_dpm_1001_1700000002.sync", b"B\td_sid=24\nC\td_sid=24\n")
    drop(home, "acme", TODAY, "ftp_dpm_1001_1700000003.sync", b"D\td_sid=24\n")
    (request,) = tick(home, instance, "arrivals").run_requests
    names = {key.to_user_string() for key in request.asset_selection}
    assert names == {"acme/inbound_files", "acme/matched_traits", "acme/receipts", *SHARED_STAGES}
    (again,) = tick(home, instance, "arrivals").run_requests
    assert again.run_key == request.run_key, "the same files ask for one run"

    run_requested(home, instance, request)
    assert receipts(home) == [
        (yesterday, "acme", 1, 1, 1),
        (yesterday, "acme", 2, 1, 2),  # the late file has a batch, and so a receipt, of its own
        (yesterday, "zephyr", 1, 1, 1),
        (TODAY, "acme", 1, 1, 1),
    ]
    assert tick(home, instance, "arrivals").run_requests == []


def test_a_file_before_the_first_run_leaves_no_day_out(home: Path, instance: dg.DagsterInstance) -> None:
    drop(home, "acme", TODAY, "ftp_dpm_1001_1700000003.sync", b"D\td_sid=24\n")
    (request,) = tick(home, instance, "arrivals").run_requests
    assert request.tags["dagster/asset_partition_range_start"] == START.isoformat()
    assert request.tags["dagster/asset_partition_range_end"] == TODAY.isoformat()


def test_INB_07_a_test_file_is_answered_once_and_stored_nowhere(home: Path, instance: dg.DagsterInstance) -> None:
    folder = home / "inbox" / "acme" / "test"
    folder.mkdir(parents=True)
    file = folder / "ftp_dpm_1001_1700000009.sync"
    file.write_bytes(b"A\td_sid=24\nno tab here\n")
    first = tick(home, instance, "test_files")
    (message,) = messages(home)
    assert "ftp_dpm_1001_1700000009.sync" in message["Subject"]
    text = message.get_payload()[0].get_payload()
    assert "no_tab" in text
    assert "Records received" in text
    assert "no tab here" not in text, "samples are masked"
    assert json.loads(first.cursor).keys() == {"acme/ftp_dpm_1001_1700000009.sync"}

    assert tick(home, instance, "test_files", first.cursor).cursor == first.cursor
    assert len(messages(home)) == 1
    file.write_bytes(b"A\td_sid=24\n")
    os.utime(file, (0, 1_700_000_000))
    tick(home, instance, "test_files", first.cursor)
    assert len(messages(home)) == 2, "another content is another test"
    assert tick(home, instance, "arrivals").run_requests == []
    assert not (home / "lake" / "files").exists()
