"""What keeps a workspace small and sound: ending retention periods, and tidying the lake. Reports what went, kind by kind.

Rows of a day end by dropping whole Parquet files: a file of a daily table holds one day (`lake.replace_day`), so no delete files
arise and the published views never show a row that is gone. That is why daily tables are not merged: a file of several days could
not be replaced whole. What grows file by file are the logs, and only those are merged.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import duckdb

from bsync_assets.assets.inbound_files import kept_files, open_inboxes
from bsync_assets.assets.profile_traits import INACTIVE_DAYS
from bsync_assets.catalog.models import Catalog
from bsync_assets.sqlfiles import make, one
from bsync_assets.transport.captures import capture_folder, captured_days
from bsync_assets.transport.drops import RECEIPT, dropped_files, is_processed
from bsync_assets.transport.places import Place, PlaceError, open_place
from bsync_assets.warehouse.lake import append, fetch_all, lake_folder, transaction
from bsync_assets.warehouse.tables import TABLES

#: Files that an open reader may still use are removed only after this time.
GRACE = "INTERVAL 1 DAY"
#: How far back the lake itself can be read as it was.
SNAPSHOTS_KEPT = "INTERVAL 7 DAY"
#: Inboxes are looked through for this many days before the limit, so that a week without maintenance leaves nothing behind.
_LOOK_BACK_DAYS = 7
#: Tables with a row per line or ID of a day (PRV-046); all other daily tables and the logs hold figures (PRV-04C).
RAW = ("id_sync_pairs", "rejected_lines", "stored_records", "trait_operations", "late_matches", "event_traits")
#: Those that records kept for a later link are read from (INB-91).
_UNTIL_LINKED = ("stored_records", "trait_operations")
#: Pairs that no rule used (INB-147, PRV-049).
_UNUSED_SIGNALS_DAYS = 45

log = logging.getLogger("bsync.maintenance")


def end_retention(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """End every period that is over on the business day `day`; answers how many rows or files of each kind went.

    What deletes profiles, links and traits is the run's own doing. PRV-040 to PRV-04D, INB-160 to INB-163.
    """
    periods = catalog.settings.retention
    copies = day - timedelta(days=periods.inbound_files_days)
    went: dict[str, int] = {}
    went["inbox files"] = _empty_inboxes(con, catalog, copies)
    went["kept copies"] = _remove_copies(con, catalog.home, copies)
    went["delivered files"] = _remove_delivered(con, catalog, day - timedelta(days=periods.outbound_files_days))
    went["days of captured calls"] = _remove_captures(catalog.home, day - timedelta(days=periods.raw_rows_days))
    went["reports"] = _remove_reports(catalog.home, day - timedelta(days=periods.figures_days))
    went |= _drop_rows(con, catalog, day)
    return {kind: count for kind, count in went.items() if count}


def _empty_inboxes(con: duckdb.DuckDBPyConnection, catalog: Catalog, limit: date) -> int:
    """Remove what was taken in on days up to `limit` (INB-161), with the receipts next to it, and over SFTP what was picked up
    (INB-160).

    A file that is in no manifest stays: nobody has read it yet.
    """
    first = limit - timedelta(days=_LOOK_BACK_DAYS)
    days = [first + timedelta(days=n) for n in range(_LOOK_BACK_DAYS + 1)]
    recorded = {
        (row["key"], row["size_bytes"])
        for row in fetch_all(con, "SELECT key, size_bytes FROM lake.main.inbound_files WHERE day BETWEEN $first AND $last",
                             {"first": first, "last": limit})
    }  # fmt: skip
    removed = 0
    with open_inboxes(catalog, catalog.partners) as inboxes:
        for partner, inbox in inboxes.items():
            try:
                if inbox.place.has_day_folders:
                    dropped = [file for day in days for file in dropped_files(inbox.place, partner, day, own=inbox.own)]
                    names = [file.found.name for file in dropped if (file.key, file.found.size) in recorded]
                    receipts = [name + RECEIPT for name in names]
                else:
                    files = list(inbox.place.files("" if inbox.own else partner))
                    names = [found.name for found in files if is_processed(found.name)]
                    receipts = [
                        found.name for found in files if found.name.endswith(RECEIPT) and found.modified_at.date() <= limit
                    ]
                removed += _remove_all(inbox.place, names)
                _remove_all(inbox.place, receipts)
            except PlaceError as error:
                log.warning("%s: its inbox could not be emptied: %s", partner, error)
    return removed


def _remove_all(place: Place, names: list[str]) -> int:
    for name in names:
        place.remove(name)
    return len(names)


def _remove_copies(con: duckdb.DuckDBPyConnection, home: Path, limit: date) -> int:
    """Remove kept copies that no day after `limit` refers to."""
    needed = {sha256 for (sha256,) in con.execute(
        "SELECT sha256 FROM lake.main.inbound_files WHERE status <> 'refused' AND day > $limit", {"limit": limit}
    ).fetchall()}  # fmt: skip
    folder = kept_files(home)
    gone = [path for path in folder.iterdir() if path.name not in needed] if folder.exists() else []
    for path in gone:
        path.unlink()
    return len(gone)


def _remove_delivered(con: duckdb.DuckDBPyConnection, catalog: Catalog, limit: date) -> int:
    """Remove delivered files from folders and buckets, where they would stay for ever; an SFTP server is the receiver's own."""
    removed = 0
    for destination in catalog.destinations.values():
        if destination.to.startswith("sftp://"):
            continue
        names = con.execute(
            """
            SELECT name FROM lake.main.outbound_files WHERE destination = $id
            GROUP BY name HAVING max(day) <= $limit AND bool_and(status = 'delivered')
            """,
            {"id": destination.id, "limit": limit},
        ).fetchall()
        if not names:
            continue
        try:
            with closing(open_place(destination.to, catalog.home)) as place:
                removed += _remove_all(place, [name for (name,) in names if place.size(name) is not None])
        except PlaceError as error:
            log.warning("destination %d: delivered files not removed: %s", destination.id, error)
    return removed


def _remove_captures(home: Path, limit: date) -> int:
    gone = [day for day in captured_days(home) if day <= limit]
    for day in gone:
        shutil.rmtree(capture_folder(home, day))
    return len(gone)


def _remove_reports(home: Path, limit: date) -> int:
    """Reports hold figures, and go when those go."""
    gone = [file for file in (lake_folder(home) / "reports").glob("????-??-??.html") if file.stem <= limit.isoformat()]
    for file in gone:
        file.unlink()
    return len(gone)


def _drop_rows(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Drop the rows whose time is over from all tables, in one transaction."""
    periods = catalog.settings.retention
    raw = day - timedelta(days=periods.raw_rows_days)
    kept_unmatched = max((source.keep_unmatched_days for source in catalog.data_sources.values()), default=0)
    until_linked = min(raw, day - timedelta(days=min(kept_unmatched, (day - date.min).days)))
    figures = day - timedelta(days=periods.figures_days)
    limits = dict.fromkeys(RAW, raw) | dict.fromkeys(_UNTIL_LINKED, until_linked)
    limits["unused_signals"] = day - timedelta(days=_UNUSED_SIGNALS_DAYS)
    limits["evicted_links"] = raw - timedelta(days=INACTIVE_DAYS)  # the oldest day that can be run again asks for them
    if max(raw, figures) < catalog.settings.account.start - timedelta(days=1):
        return {}  # nothing is that old, and a look into every table takes its time in every run
    went: dict[str, int] = {}
    with transaction(con):
        for table in TABLES:
            if table.kind == "state":
                went |= _drop_history(con, table.name, table.changes, raw)
                continue
            if "day" not in table.column_names:
                continue
            drop = _drop_days if table.kind == "daily" else _drop_entries
            went[table.name] = drop(con, table.name, limits.get(table.name, figures))
    return went


def _drop_days(con: duckdb.DuckDBPyConnection, table: str, limit: date) -> int:
    count: int = one(con, "SELECT count(*) FROM lake.main." + table + " WHERE day <= $limit", {"limit": limit})
    if count:
        con.execute("DELETE FROM lake.main." + table + " WHERE day <= $limit", {"limit": limit})
    return count


def _drop_entries(con: duckdb.DuckDBPyConnection, table: str, limit: date) -> int:
    """From a log, whose files hold many days: it is written anew, for the files must not be left with holes."""
    count: int = one(con, "SELECT count(*) FROM lake.main." + table + " WHERE day <= $limit", {"limit": limit})
    if count:
        make(con, "_kept", "SELECT * FROM lake.main." + table + " WHERE day > $limit", {"limit": limit})
        con.execute("DELETE FROM lake.main." + table)
        append(con, table, "_kept")
        con.execute("DROP TABLE _kept")
    return count


def _drop_history(con: duckdb.DuckDBPyConnection, state: str, changes: str, limit: date) -> dict[str, int]:
    """Bases before the last two, and change sets that a kept base covers, once they are older than raw rows may be."""
    bases = [as_of for (as_of,) in con.execute("SELECT DISTINCT as_of FROM lake.main." + state + "_base ORDER BY 1").fetchall()]
    kept = [as_of for as_of in bases if as_of > limit or as_of in bases[-2:]]
    if not kept:
        return {}
    went = {
        changes: _drop_days(con, changes, min(kept[0], limit)),
        f"{state}_base": one(con, "SELECT count(*) FROM lake.main." + state + "_base WHERE as_of < $first", {"first": kept[0]}),
    }
    if went[f"{state}_base"]:
        con.execute("DELETE FROM lake.main." + state + "_base WHERE as_of < $first", {"first": kept[0]})
    return went


def tidy_lake(con: duckdb.DuckDBPyConnection, home: Path) -> dict[str, int]:
    """Merge the small files of the logs, forget old snapshots, remove files that nobody can need any more; answers what went.

    Outside a transaction, by the one writer; publish afterwards, for the views name files.
    """

    def count(call: str) -> int:
        return len(con.execute(call).fetchall())

    done = {"merged files": sum(_merge(con, table.name) for table in TABLES if table.kind == "log")}
    done["expired snapshots"] = count(f"CALL ducklake_expire_snapshots('lake', older_than => now() - {SNAPSHOTS_KEPT})")
    done["removed files"] = count(f"CALL ducklake_cleanup_old_files('lake', older_than => now() - {GRACE})")
    done["orphaned files"] = count(f"CALL ducklake_delete_orphaned_files('lake', older_than => now() - {GRACE})")
    done["leftovers"] = clear_leftovers(home)
    return {kind: number for kind, number in done.items() if number}


def _merge(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many files of a log were made into one."""
    merged = con.execute("CALL ducklake_merge_adjacent_files('lake', '" + table + "')").fetchall()
    return sum(row[2] for row in merged)


def clear_leftovers(home: Path) -> int:
    """Remove what killed processes left: drafts, spilled rows. Only the one writer may; answers how many files went."""
    left = [*lake_folder(home).glob(".bsync-*.duckdb*"), *kept_files(home).glob(".draft-*")]
    left += (lake_folder(home) / "tmp").glob("duckdb_temp_*")
    folders = list((lake_folder(home) / "tmp").glob("pairs-*"))
    left += [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for path in left:
        path.unlink()
    for folder in folders:
        shutil.rmtree(folder)
    return len(left)
