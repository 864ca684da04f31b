"""What operations is told: checks, alerts, status; and what mends itself: retries, days that the schedule missed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from workspaces import write_inbound, write_workspace

from bsync_assets.assets import graph
from bsync_assets.assets.worries import CHECKS, find_worries
from bsync_assets.runs import dagster_home, run_days
from bsync_assets.warehouse.publish import public_views
from bsync_assets.workspace import open_catalog

DAY = date(2026, 1, 5)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1}],
    "data_sources": [{"id": 1001, "owner": "acme"}],
    "traits": [{"id": 24, "data_source": 1001}],
    "segments": [{"id": 900, "data_source": 1001, "rule": "24T"}],
    "destinations": [{"id": 1, "dpid": 888, "to": "outbox/dsp", "segments": [{"id": 900}]}],
}


@pytest.fixture(scope="module")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day whose delivery did not get through. For reading only."""
    home = tmp_path_factory.mktemp("oversight") / "home"
    write_workspace(home, CATALOG, DAY)
    (home / "outbox").mkdir()
    (home / "outbox/dsp").write_text("a file is no folder to deliver to")
    write_inbound(home, "acme", DAY, "ftp_dpm_1001_1767600001.sync", b"ann\td_sid=24\n", datetime(2026, 1, 5, 8, tzinfo=UTC))
    assert run_days(home, DAY, DAY)
    return home


@pytest.fixture
def home(one_day: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(one_day, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    dagster_home(home)
    with dg.DagsterInstance.get() as instance:
        yield instance


def status(home: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "bsync_assets.cli", "status", *options]
    done = subprocess.run(command, env=os.environ | {"BSYNC_HOME": str(home)}, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_OUT_112_what_is_late_fails_a_check_is_mailed_once_and_ends_status_with_1(
    home: Path, instance: dg.DagsterInstance
) -> None:
    outcome = {}
    for name in CHECKS:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("published"), name), limit=1
        )
        evaluation = record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        outcome[name] = (evaluation.passed, evaluation.severity.value)
    assert outcome == {name: (name != "nothing_stuck", "ERROR" if name == "receipts_balance" else "WARN") for name in CHECKS}

    code, out = status(home)
    assert code == 1
    assert out.startswith("1 thing needs a person, as of 2026-01-05")
    assert "destination 1" in out and "late by" in out and "bsync outbound send -d 1" in out
    found = json.loads(status(home, "--json")[1])
    assert not found["all_right"] and [worry["check"] for worry in found["worries"]] == ["nothing_stuck"]

    def to_do() -> list[str]:
        return [text for path in (home / "mail/new").iterdir() if "1 to look at" in (text := path.read_text())]

    (mail,) = to_do()
    assert "Subject: Demo 2026-01-05: 1 to look at" in mail and "bsync outbound send" in mail


def test_PRV_04D_retention_ends_with_the_run_that_closes_a_day(home: Path) -> None:
    inbox, copies = home / f"inbox/acme/date={DAY}", home / "lake/files"
    assert list(inbox.iterdir()) and list(copies.iterdir())
    assert run_days(home, DAY + timedelta(days=31), DAY + timedelta(days=31))
    assert not list(inbox.iterdir()) and not list(copies.iterdir())


def test_a_run_that_failed_is_mailed_once(home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(graph, "take_events", broken)
    defs = graph.build_defs(home=home)
    result = defs.resolve_job_def("daily").execute_in_process(
        instance=instance, tags=graph.range_tags(DAY, DAY), raise_on_error=False
    )
    assert not result.success
    (failure,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs", dagster_event=failure, dagster_instance=instance, dagster_run=result.dagster_run
    ).for_run_failure()
    sensor = defs.get_repository_def().get_sensor_def("failed_runs")
    for _ in range(2):
        sensor(context)  # type: ignore[operator]
    (mail,) = [text for path in (home / "mail/new").iterdir() if "run failed" in (text := path.read_text())]
    assert f"<run.{result.run_id}." in mail and "2026-01-05" in mail and "a fault of ours" in mail


@pytest.mark.parametrize(("fault", "tries"), [(OSError("the disk is gone"), 3), (ValueError("a fault of ours"), 1)])
def test_faults_of_the_machine_are_tried_again_and_no_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, tries: int
) -> None:
    tried = []

    def broken(*_: object) -> dict[str, int]:
        tried.append(1)
        if len(tried) < 3:
            raise fault
        return {}

    monkeypatch.setattr(graph, "RETRY_SECONDS", 0)
    monkeypatch.setattr(graph, "take_events", broken)
    if tries == 3:
        assert run_days(home, DAY, DAY)
    else:
        with pytest.raises(ValueError, match="a fault of ours"):
            run_days(home, DAY, DAY)
    assert len(tried) == tries


@pytest.mark.parametrize(("days_later", "run"), [(2, ("2026-01-06", None)), (6, ("2026-01-06", "2026-01-10"))])
def test_SEG_055_the_schedule_catches_up_after_a_stop(
    one_day: Path, instance: dg.DagsterInstance, days_later: int, run: tuple[str, str | None]
) -> None:
    defs = graph.build_defs(home=one_day)
    at = datetime(2026, 1, 5, 5, tzinfo=UTC) + timedelta(days=days_later)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at, repository_def=defs.get_repository_def())
    (request,) = defs.get_repository_def().get_schedule_def("close_the_day").evaluate_tick(context).run_requests or ()
    if run[1] is None:
        assert request.partition_key == run[0]
    else:
        assert request.tags | graph.range_tags(date.fromisoformat(run[0]), date.fromisoformat(run[1])) == request.tags


# --- What is found, and how urgent it is

AT = datetime(2026, 1, 20, 12)
CLOSED = {"day": date(2026, 1, 19), "finished_at": datetime(2026, 1, 20, 5)}
FILE = {"day": date(2026, 1, 19), "partner": "acme", "key": "acme/f", "status": "accepted"}
MAIL = {"message_id": "<1>", "day": date(2026, 1, 19), "partner": "acme", "kind": "data", "recipients": ["x@y.example"]}
DELIVERY = {"day": date(2026, 1, 18), "destination": 1, "ts_ms": 1, "attempts": 2, "why": "no room"}
OUTLIER = {"partner": "acme", "dpid": 1, "figure": "match_rate", "value": 1, "low": 2, "high": 3}
WORRIES: dict[str, tuple[dict[str, list[dict[str, Any]]], list[tuple[str, str]]]] = {
    "all right": ({}, []),
    "a receipt that does not add up": (
        {"receipts": [{"day": DAY, "partner": "acme", "dpid": 1, "target": 1, "batch": 1, "revision": 1, "balanced": False}]},
        [("receipts_balance", "act")],
    ),
    "a receipt that was mended": (
        {
            "receipts": [
                {"day": DAY, "partner": "acme", "dpid": 1, "target": 1, "batch": 1, "revision": number, "balanced": number == 2}
                for number in (1, 2)
            ]
        },
        [],
    ),
    "mail that was refused": ({"mail_outbox": [MAIL | {"status": "failed", "attempts": 1}]}, [("nothing_stuck", "act")]),
    "mail that waits": (
        {"mail_outbox": [MAIL | {"status": "due", "attempts": 1, "next_try": AT}]}, [("nothing_stuck", "watch")]
    ),
    "mail that does not get through": (
        {"mail_outbox": [MAIL | {"status": "due", "attempts": 3, "next_try": AT}]}, [("nothing_stuck", "act")]
    ),
    "a file that is held": (
        {"inbound_files": [FILE | {"status": "held", "target": 1, "would_remove": 5000}]}, [("nothing_stuck", "act")]
    ),
    "a decision that was not carried out": (
        {"inbound_files": [FILE | {"status": "retracted", "decided_at": AT, "decided_by": "jo"}]}, [("nothing_stuck", "act")]
    ),
    "a decision that was": (
        {"inbound_files": [FILE | {"status": "retracted", "decided_at": datetime(2026, 1, 20, 4), "decided_by": "jo"}]}, []
    ),
    "a delivery that is held": ({"deliveries": [DELIVERY | {"status": "held"}]}, [("nothing_stuck", "act")]),
    "a delivery late by 22 hours": (
        {"deliveries": [DELIVERY | {"status": "failed", "day": date(2026, 1, 18)}]}, [("nothing_stuck", "watch")]
    ),
    "a delivery late by 46 hours": (
        {"deliveries": [DELIVERY | {"status": "failed", "day": date(2026, 1, 17)}]}, [("nothing_stuck", "act")]
    ),
    "a delivery never made": (
        {"deliveries": [DELIVERY | {"status": "delivered", "day": date(2026, 1, 17)}],
         "runs": [{"day": date(2026, 1, 18), "finished_at": datetime(2026, 1, 19, 5)}, CLOSED]},
        [("nothing_stuck", "watch")],
    ),
    "a partner that is overdue": (
        {"partner_rhythms": [{"partner": "acme", "is_missing": True, "usual_gap": 1, "next_day": DAY, "last_day": DAY}]},
        [("files_on_time", "act")],
    ),
    "a partner that is none any more": (
        {"partner_rhythms": [{"partner": "gone", "is_missing": True, "usual_gap": 1, "next_day": DAY, "last_day": DAY}]}, []
    ),
    "days left open": (
        {"runs": [{"day": date(2026, 1, 17), "finished_at": datetime(2026, 1, 18, 5)}]}, [("files_on_time", "act")]
    ),
    "days of long ago, run once": ({"runs": [{"day": date(2025, 1, 17), "finished_at": datetime(2026, 1, 18, 5)}]}, []),
    "an outlier": (
        {"outliers": [OUTLIER | {"day": CLOSED["day"]}]},
        [("usual_volume", "watch")],
    ),
    "an outlier of long ago": ({"outliers": [OUTLIER | {"day": DAY}]}, []),
}  # fmt: skip


READ = ["runs", "receipts", "id_sync_receipts", "mail_outbox", "inbound_files", "deliveries", "outliers", "partner_rhythms"]


@pytest.mark.parametrize("what", WORRIES)
def test_what_is_not_all_right(one_day: Path, what: str) -> None:
    given, expected = WORRIES[what]
    with duckdb.connect() as views:
        columns = {name: columns for name, _, columns in public_views()}
        for view in READ:
            views.execute(f"CREATE TABLE {view} ({', '.join(f'{c.name} {c.type}' for c in columns[view])})")
            for row in ({"runs": [CLOSED]} | given).get(view, ()):
                views.execute(f"INSERT INTO {view} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        found = find_worries(views, open_catalog(one_day), AT)
    assert [(worry["check"], worry["level"]) for worry in found] == expected
    for worry in found:
        assert all(worry.values()) and worry["check"] in CHECKS
