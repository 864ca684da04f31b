"""Deliveries as part of a day: the job, the commands, the mail, the published views."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from workspaces import write_import, write_workspace

from .conftest import START, catalog_of, uuid


def _bsync(home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "bsync_assets.cli", *arguments], env={**os.environ, "BSYNC_HOME": str(home)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_out_026_out_130_a_day_delivers_and_tells(tmp_path: Path) -> None:
    home = tmp_path / "w"
    given: dict[str, Any] = catalog_of(name="dsp", labels=["pii"])
    write_workspace(home, given, START)
    held = {f"0:{uuid(n)}": [11] for n in (1, 2)}
    _bsync(
        home, "import", str(write_import(tmp_path / "state.jsonl", {"profiles": held}, [f"0:{uuid(n)}" for n in (1, 2)], START))
    )
    _bsync(home, "run", "--day", "2026-01-05")
    out = home / "outbox/1"
    (part,) = out.glob("*.sync")
    assert part.read_text() == f"{uuid(1)} 10,11 \n{uuid(2)} 10,11 \n"
    with duckdb.connect(str(home / "lake/bsync.duckdb"), read_only=True) as views:
        files = views.execute(
            "SELECT day, destination, name, mode, bytes, lines, status FROM outbound_files ORDER BY part"
        ).fetchall()
    assert [row[2] for row in files] == [part.with_suffix(".info").name, part.name]
    assert files[1][3:] == ("full", part.stat().st_size, 2, "delivered")

    # A control that is set later stops its mappings, tells operations, and fails nothing.
    given["data_sources"][0]["controls"] = ["pii"]
    write_workspace_files(home, given)
    _bsync(home, "run", "--day", "2026-01-06")
    assert sorted(path.stat().st_size for path in out.glob("*.sync")) == [0, part.stat().st_size]
    mails = [path.read_text() for path in (home / "mail/new").iterdir()]
    assert any("segment 10" in mail and "pii, data source 60" in mail for mail in mails)

    (plan,) = json.loads(_bsync(home, "outbound", "plan", "--full", "--json"))
    assert (plan["mode"], plan["rows"], plan["blocked"]) == ("full", 0, [10, 11])
    (sent,) = json.loads(_bsync(home, "outbound", "send", "--full", "--json"))
    assert (sent["status"], sent["deliveries"]) == ("delivered", 1)
    assert len(json.loads(_bsync(home, "outbound", "resend", "1", "--day", "2026-01-05", "--json"))) == 2
    _bsync(home, "release", "1", code=1)

    # OUT-131: what went out on the days of transfer, control files beside the totals.
    today = datetime.now(UTC).date().isoformat()
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()  # should midnight have passed meanwhile
    history = json.loads(_bsync(home, "outbound", "history", "1", "--from", yesterday, "--to", today, "--json"))
    sent = [row for row in history if row["name"] != "total"]
    assert {row["name"] for row in sent} == {path.name for path in out.iterdir()}
    totals = [row for row in history if row["name"] == "total"]
    assert sum(row["received"] for row in totals) == sum(len(path.read_text().splitlines()) for path in out.glob("*.sync")) == 2
    assert all(row["received"] == row["successful"] + row["failed"] for row in history)
    assert json.loads(_bsync(home, "outbound", "history", "1", "--from", "2026-01-05", "--to", "2026-01-06", "--json")) == []


def write_workspace_files(home: Path, given: dict[str, Any]) -> None:
    """The catalog anew, in place."""
    import yaml

    (home / "catalog/data_sources.yaml").write_text(yaml.safe_dump(given["data_sources"]))
