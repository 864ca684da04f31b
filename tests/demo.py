"""Copies of the demo workspace, and what their runs published and mailed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb

from data import make_demo

SHIPPED = Path(make_demo.__file__).parent
DAYS = (make_demo.MONDAY, make_demo.TUESDAY, make_demo.WEDNESDAY)

# What two runs of the same days may differ in: which run it was, when, and how often something was tried.
OF_THE_RUN = ["run_id", "job_start", "job_end", "finished_at", "attempts", "last_error", "next_try", "written_at"]


def copy_demo(home: Path) -> Path:
    """The demo workspace as a bare clone has it, with arrival times, at `home`."""
    shutil.copytree(SHIPPED / "catalog", home / "catalog")
    for name in ("bsync.yaml", "make_demo.py"):
        shutil.copy(SHIPPED / name, home)
    shutil.copy(SHIPPED / "make_demo.py", home)
    for day in DAYS:
        for folder in SHIPPED.glob(f"inbox/*/date={day}"):
            shutil.copytree(folder, home / folder.relative_to(SHIPPED), ignore=shutil.ignore_patterns("*.receipt.json"))
    make_demo.set_arrival_times(home / "inbox")
    return home


def connect(home: Path) -> duckdb.DuckDBPyConnection:
    """The published file, opened as any analyst opens it."""
    return duckdb.connect(str(home / "lake" / "bsync.duckdb"), read_only=True)


def views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    query = "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal ORDER BY view_name"
    return [name for (name,) in connection.execute(query).fetchall()]


def tables(home: Path) -> dict[str, list[str]]:
    """Every published view as sorted rows, without what belongs to the run. Of `runs`, which grows with each run, the
    distinct rows."""
    query = "SELECT COLUMNS(name -> NOT list_contains($of_the_run, name)) FROM "
    with connect(home) as connection:
        found = {
            view: sorted(map(str, connection.execute(f'{query} "{view}"', {"of_the_run": OF_THE_RUN}).fetchall()))
            for view in views(connection)
        }
    return found | {"runs": sorted(set(found["runs"]))}


def differences(left: dict[str, list[str]], right: dict[str, list[str]]) -> dict[str, list[str]]:
    """The first rows of each view that only one side has; short enough to print."""
    found = {}
    for view in left.keys() | right.keys():
        one, other = left.get(view, []), right.get(view, [])
        if one != other:
            rows = [f"- {row}" for row in one if row not in set(other)] + [f"+ {row}" for row in other if row not in set(one)]
            found[view] = [f"{len(one)} rows, {len(other)} rows", *rows[:10]]
    return found


def messages(home: Path) -> Iterator[EmailMessage]:
    """Every message in the Maildir of the workspace, which may not exist yet."""
    for path in (home / "mail" / "new").glob("*"):
        yield message_from_bytes(path.read_bytes(), policy=policy.default)


def copies(home: Path) -> dict[str, dict[str, Any]]:
    """The receipts next to the files of the inbox, by path below it, without what belongs to the run."""
    return {
        path.relative_to(home / "inbox").as_posix(): {
            name: value for name, value in json.loads(path.read_bytes()).items() if name not in OF_THE_RUN
        }
        for path in (home / "inbox").rglob("*.receipt.json")
    }


def message_ids(home: Path) -> list[str]:
    """Sorted; one that occurs twice was mailed twice."""
    return sorted(str(message["Message-ID"]) for message in messages(home))
