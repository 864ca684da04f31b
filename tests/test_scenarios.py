"""Whole days: state before, files of a partner, what the day leaves. Each runs in a workspace of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from workspaces import write_import, write_inbound, write_workspace

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS, Counter
from bsync_assets.importing import import_state
from bsync_assets.runs import run_days

DAY = date(2026, 1, 5)
SENDER = "acme"
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [
        {"name": "acme", "id": 1, "access": [1007]},
        {"name": "zephyr", "id": 2},
    ],
    "data_sources": [
        {"id": 1001, "owner": "acme", "type": "cookie"},
        {"id": 1002, "owner": "acme", "type": "cross_device"},
        {"id": 1003, "owner": "acme", "type": "cookie", "key": "aam"},
        {"id": 1005, "owner": "acme", "type": "cross_device", "label": "hashed_email"},
        {"id": 1006, "owner": "zephyr", "type": "cookie"},
        {"id": 1007, "owner": "zephyr", "type": "cookie"},
        {"id": 4101, "owner": "acme", "type": "cookie"},
        {"id": 4102, "owner": "acme", "type": "cookie"},
        {"id": 4103, "owner": "acme", "type": "cross_device"},
        {"id": 4105, "owner": "acme", "type": "cross_device", "label": "hashed_email"},
        {"id": 4109, "owner": "zephyr", "type": "cookie"},
    ],
    "traits": [
        *({"id": trait, "data_source": 1001} for trait in (24, 26, 27, 28, 29)),
        {"id": 30, "data_source": 1001, "rule": 'ic == "52"'},
        {"id": 31, "data_source": 1001, "rule": 'product == "tablet"'},
        {"id": 32, "data_source": 1001, "rule": 'product == "phone"'},
        {"id": 33, "data_source": 1001, "rule": 'gender == "female" AND luxury == "yes"'},
        {"id": 34, "data_source": 1001, "rule": 'ic == "60"'},
        {"id": 35, "data_source": 1001, "kind": "rule", "rule": 'color == "red"'},
        {"id": 41, "data_source": 1002},
        {"id": 42, "data_source": 1002, "rule": 'tier == "gold"'},
        {"id": 44, "data_source": 1002},
        {"id": 51, "data_source": 1003},
        {"id": 52, "data_source": 1003},
        {"id": 61, "data_source": 1007},
        {"id": 71, "data_source": 1006},
    ],
}

Connection = duckdb.DuckDBPyConnection


def _content(lines: list[str | dict[str, Any]]) -> bytes:
    """Bytes of a file; a line {"times": n, "line": text} stands for n equal lines, no line for no bytes."""
    texts: list[str] = []
    for line in lines:
        texts += [line] if isinstance(line, str) else [line["line"]] * line["times"]
    return "".join(text + "\n" for text in texts).encode()


def _mappings(connection: Connection) -> list[list[str]]:
    query = """
        SELECT dpid || ':' || id, device_dpid || ':' || device_id
        FROM id_links
        ORDER BY last_seen, seq
    """
    return [list(row) for row in connection.execute(query).fetchall()]


def _emails(connection: Connection) -> list[list[str]]:
    query = """
        SELECT dpid || ':' || id, email_dpid || ':' || hash
        FROM email_links
        ORDER BY last_seen, seq
    """
    return [list(row) for row in connection.execute(query).fetchall()]


def _profiles(connection: Connection) -> dict[str, list[int]]:
    query = """
        SELECT dpid || ':' || id AS profile, list(trait_id ORDER BY trait_id)
        FROM profile_traits
        GROUP BY profile
    """
    return dict(connection.execute(query).fetchall())


def _manifest(connection: Connection) -> dict[str, str | None]:
    return dict(connection.execute("SELECT parse_filename(key), reject_reason FROM inbound_files").fetchall())


def _receipts(connection: Connection) -> dict[str, dict[str, int]]:
    return _figures(connection, "SELECT dpid || '/' || target AS name, * FROM receipts", DATA_COUNTERS)


def _id_sync(connection: Connection) -> dict[str, dict[str, int]]:
    return _figures(connection, "SELECT parse_filename(file) AS name, * FROM id_sync_receipts", SYNC_COUNTERS)


def _figures(connection: Connection, query: str, counters: tuple[Counter, ...]) -> dict[str, dict[str, int]]:
    """Counters that are not 0, by the name of the receipt; each name must be there once."""
    cursor = connection.execute(query)
    columns = [column[0] for column in cursor.description or []]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    figures = {row["name"]: {c.name: row[c.name] for c in counters if row[c.name] != 0} for row in rows}
    assert len(figures) == len(rows), "more than one receipt of the same name"
    return figures


READERS: dict[str, Callable[[Connection], Any]] = {
    "mappings": _mappings,
    "emails": _emails,
    "profiles": _profiles,
    "manifest": _manifest,
    "receipts": _receipts,
    "id_sync": _id_sync,
}


def _scenarios() -> list[dict[str, Any]]:
    files = sorted((Path(__file__).parent / "vectors").glob("scenarios_*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario["id"]) for scenario in _scenarios()])
def test_scenario(scenario: dict[str, Any], tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    write_workspace(home, CATALOG, start=DAY)
    devices = {f"0:{uuid}" for uuid in re.findall(r"(?<!\d)\d{38}(?!\d)", json.dumps(scenario))}
    import_state(home, write_import(tmp_path / "before.jsonl", scenario["before"], devices, DAY))
    morning = datetime.combine(DAY, time(8), UTC)
    for file in scenario["files"]:
        arrived = morning + timedelta(minutes=int(file.get("arrival", "t0").removeprefix("t")))
        write_inbound(home, SENDER, DAY, file["name"], _content(file["lines"]), arrived)

    assert run_days(home, DAY, DAY)

    expected = dict(scenario["after"])
    refused = expected.pop("refused")
    expected["manifest"] = {file["name"]: refused.get(file["name"]) for file in scenario["files"]}
    if "profiles" in expected:
        expected["profiles"] = {profile: traits for profile, traits in expected["profiles"].items() if traits}
    with duckdb.connect(str(home / "lake" / "bsync.duckdb"), read_only=True) as connection:
        assert {name: READERS[name](connection) for name in expected} == expected
