"""Maintenance of a workspace, and making its lake anew: what `bsync maintain` and `bsync rebuild` do."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from bsync_assets.assets.maintenance import clear_leftovers, end_retention, tidy_lake
from bsync_assets.catalog import Catalog
from bsync_assets.runs import prune_event_log, run_days
from bsync_assets.sqlfiles import one
from bsync_assets.warehouse.lake import attach, lake_folder, quoted, single_writer
from bsync_assets.warehouse.publish import last_day_run, publish, published_file
from bsync_assets.warehouse.tables import TABLES

#: What was decided or done once and is never made again, whatever the day is made of; and what destinations were told.
_DOCUMENTS = {"inbound_files", "deliveries", "outbound_files", "addressable_members", "export_blocks"}
_TOLD = "published_members"
#: What says which run it was, not what it found.
_OF_THE_RUN = ["run_id", "job_start", "job_end", "finished_at", "attempts", "last_error", "next_try", "written_at"]
_RUN_LOGS = ("runs", "catalog_versions")


class RebuildRefused(ValueError):
    """There is nothing to rebuild, or no room for it; says why."""


def maintain(catalog: Catalog) -> dict[str, int]:
    """End retention periods as of the last day run, tidy the lake, publish it, and prune Dagster's event log.

    Answers how much of each kind went. Raises LakeBusy.
    """
    with single_writer(catalog.home, wait_seconds=60), closing(duckdb.connect()) as con:
        clear_leftovers(catalog.home)
        attach(con, catalog.home)
        last_day = one(con, "SELECT max(day) FROM lake.main.runs")
        went = end_retention(con, catalog, last_day) if last_day else {}
        went |= tidy_lake(con, catalog.home)
        if last_day:
            publish(con, catalog.home)
    pruned = prune_event_log(catalog.home, catalog.settings.retention.event_log_days)
    return went | ({"runs in Dagster's event log": pruned} if pruned else {})


def rebuild(catalog: Catalog, into: Path, first: date | None = None) -> dict[str, int]:
    """Make the lake anew in the workspace `into`, from the kept state before `first` and the kept files of the days since.

    `first` is by default the first day of the workspace, or the first whose files are all kept. The new workspace is shut off: it
    has no inbox, mails nobody and delivers nowhere. Answers per published view how many rows differ; nothing says: it is equal.
    Raises RebuildRefused, LakeBusy.
    """
    last = last_day_run(catalog.home)
    if last is None:
        raise RebuildRefused("no day has been run yet; run one: bsync run --day DAY")
    kept_from = last - timedelta(days=catalog.settings.retention.inbound_files_days - 1)
    first = first or max(catalog.settings.account.start, kept_from)
    if first > last:
        raise RebuildRefused(f"the last day run is {last}; {first} lies behind it")
    if into.exists() and any(into.iterdir()):
        raise RebuildRefused(f"{into} is not empty; give the name of a new folder")
    _shut_off(catalog, into)
    with single_writer(catalog.home, wait_seconds=60):
        _copy_kept(catalog.home, into, first)
        run_days(into, first, last)
        return _differences(catalog.home, into)


def _shut_off(catalog: Catalog, into: Path) -> None:
    """The declarations of the workspace, with everything that leads outside cut off."""
    (into / "catalog").mkdir(parents=True)
    (into / "inbox").mkdir()
    settings = yaml.safe_load((catalog.home / "bsync.yaml").read_text(encoding="utf-8"))
    mail = {"transport": "maildir", "path": "mail"} | {
        name: value for name, value in settings.get("mail", {}).items() if name in ("from", "ops")
    }
    _write(into / "bsync.yaml", settings | {"inbox": "inbox", "outbox": "outbox", "mail": mail})
    for file in sorted((catalog.home / "catalog").glob("*.yaml")):
        items = yaml.safe_load(file.read_text(encoding="utf-8")) or []
        led_outside = {"partners": ("inbox",), "destinations": ("to",)}.get(file.stem, ())
        _write(into / "catalog" / file.name, [{k: v for k, v in item.items() if k not in led_outside} for item in items])
    if (catalog.home / "keys").exists():
        (into / "keys").symlink_to(catalog.home / "keys")


def _write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _copy_kept(home: Path, into: Path, first: date) -> None:
    """Everything before `first`, all documents, and the files that the days since are made of."""
    old, new = lake_folder(home), lake_folder(into)
    for name in ("files", "events"):
        if (old / name).exists():
            shutil.copytree(old / name, new / name, copy_function=os.link)
    with single_writer(into), closing(duckdb.connect()) as con:
        attach(con, into)
        con.execute(
            "ATTACH " + quoted(f"ducklake:sqlite:{old / 'catalog.sqlite'}") + " AS original (READ_ONLY, DATA_PATH "
            + quoted(old / "data") + ", OVERRIDE_DATA_PATH true)"
        )  # fmt: skip
        for table in TABLES:
            if table.kind == "log":
                con.execute("INSERT INTO lake.main." + table.name + " BY NAME FROM original.main." + table.name)
            elif table.kind == "daily":
                _copy_days(con, table.name, "day", None if table.name in _DOCUMENTS else first)
            else:
                limit = None if table.name == _TOLD else first
                _copy_days(con, table.name + "_base", "as_of", limit)
                _copy_days(con, table.changes, "day", limit)


def _copy_days(con: duckdb.DuckDBPyConnection, table: str, column: str, first: date | None) -> None:
    """Copy the days before `first`, or all, each into a file of its own: it is replaced or dropped whole."""
    days = con.execute("SELECT DISTINCT " + column + " FROM original.main." + table + " WHERE $first IS NULL OR " + column
                       + " < $first ORDER BY 1", {"first": first}).fetchall()  # fmt: skip
    for (day,) in days:
        con.execute(
            "INSERT INTO lake.main." + table + " BY NAME FROM original.main." + table + " WHERE " + column + " = $day",
            {"day": day},
        )


def _differences(home: Path, into: Path) -> dict[str, int]:
    """Per view that both have published: rows that only one side has, apart from what belongs to the run."""
    differ: dict[str, int] = {}
    with closing(duckdb.connect()) as con:
        for name, workspace in (("old", home), ("new", into)):
            con.execute("ATTACH " + quoted(published_file(workspace)) + " AS " + name + " (READ_ONLY)")
        views = con.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = 'old' AND schema_name = 'main' AND NOT internal"
        ).fetchall()
        columns = "SELECT COLUMNS(name -> NOT list_contains($of_the_run, name)) FROM "
        for (view,) in views:
            if view in _RUN_LOGS:
                continue
            sides = [f'({columns}{side}.main."{view}")' for side in ("old", "new")]
            rows = sum(
                one(con, f"SELECT count(*) FROM ({left} EXCEPT ALL {right})", {"of_the_run": _OF_THE_RUN})
                for left, right in (sides, sides[::-1])
            )
            if rows:
                differ[view] = rows
    return differ
