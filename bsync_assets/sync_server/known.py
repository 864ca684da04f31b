"""What the service knows of links and opt-outs: the published views of the last run, and the calls captured since.

Point look-ups take microseconds, so both are SQLite files below `lake/events/`, derived and made again when missing: a read-only
copy of the published views per published file, and one of the calls since, shared by all workers, so that what one of them
answered is known to the next call whoever gets it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from bsync_assets.sync_server.capture import Record
from bsync_assets.transport.captures import capture_files, capture_root, captured_days
from bsync_assets.warehouse.publish import published_file

_TABLES = """
    CREATE TABLE IF NOT EXISTS link (dpid INTEGER, id TEXT, device TEXT, at TEXT, PRIMARY KEY (dpid, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (device TEXT, dpid INTEGER, at TEXT, PRIMARY KEY (device, dpid)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS opt_out (dpid INTEGER, id TEXT, at TEXT, PRIMARY KEY (dpid, id)) WITHOUT ROWID;
"""
#: Published rows -> rows of the tables above; at most one per key. `$last` = end of the last day that was run.
_PUBLISHED = {
    "link": """
        SELECT dpid, id, arg_max(device_id, (last_seen, seq)), strftime(max(last_seen), '%Y-%m-%d %H:%M:%S.%f')
        FROM id_links WHERE device_dpid = 0 GROUP BY dpid, id ORDER BY dpid, id
    """,
    "seen": """
        SELECT device_id, dpid, strftime(max(last_seen), '%Y-%m-%d %H:%M:%S.%f')
        FROM id_links WHERE device_dpid = 0 GROUP BY device_id, dpid ORDER BY device_id, dpid
    """,
    "opt_out": "SELECT dpid, id, '' FROM opt_outs ORDER BY dpid, id",
}
_KEEP_DAYS = 2  # calls of days before the last run, this many days back, are in the published views
_TOGETHER = 10_000


def _stamp(published: Path) -> str:
    """What tells one published file from another; "none" when there is none yet."""
    try:
        stat = published.stat()
    except FileNotFoundError:
        return "none"
    return f"{stat.st_mtime_ns:x}-{stat.st_ino:x}"


def copy_published(home: Path) -> Path:
    """The SQLite copy of what is published now; made, by one process, when it is not there yet."""
    root = capture_root(home)
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".copying", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy = root / f".published-{_stamp(published_file(home))}.sqlite"
        if not copy.exists():
            draft = root / ".published-draft"
            draft.unlink(missing_ok=True)
            _copy(published_file(home), draft)
            os.replace(draft, copy)
            for old in root.glob(".published-*.sqlite"):
                if old != copy:
                    old.unlink()
    return copy


def _copy(published: Path, draft: Path) -> None:
    with closing(sqlite3.connect(draft)) as target:
        target.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        if published.exists():
            with duckdb.connect(str(published), read_only=True) as con:
                for table, query in _PUBLISHED.items():
                    rows = con.execute(query)
                    while part := rows.fetchmany(_TOGETHER):
                        target.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(part[0]))})", part)
        target.commit()


def _open_recent(home: Path) -> sqlite3.Connection:
    recent = sqlite3.connect(capture_root(home) / ".recent.sqlite", timeout=10, isolation_level=None, check_same_thread=False)
    recent.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        + _TABLES
        + "CREATE TABLE IF NOT EXISTS applied (file TEXT PRIMARY KEY, bytes INTEGER) WITHOUT ROWID"
    )
    return recent


def forget(home: Path) -> None:
    """Drop from the calls since what is in the published views by now: all of days before the last one run, less one to be safe.

    A little at a time, because answers wait for it. Any worker may do it; call it when all look at the new copy.
    """
    with duckdb.connect(str(published_file(home)), read_only=True) as con:
        last_day = (con.execute("SELECT max(day) FROM runs").fetchone() or (None,))[0]
    if last_day is None:
        return
    before = (datetime(last_day.year, last_day.month, last_day.day) - timedelta(days=_KEEP_DAYS - 1)).isoformat(sep=" ")
    with closing(_open_recent(home)) as recent:
        for table, key in (("link", "dpid, id"), ("seen", "device, dpid"), ("opt_out", "dpid, id")):
            some = f"SELECT {key} FROM {table} WHERE at < ? LIMIT {_TOGETHER}"
            while recent.execute(f"DELETE FROM {table} WHERE ({key}) IN ({some})", (before,)).rowcount:
                pass


class Known:
    """Links and opt-outs as one worker sees them. Look-ups belong to one thread, `settle` to another."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._writer: sqlite3.Connection | None = None
        capture_root(home).mkdir(parents=True, exist_ok=True)
        self._recent = _open_recent(self._home)
        self._copy_path = copy_published(home)
        self._copy = _read_only(self._copy_path)
        self._catch_up()

    # --- Look-ups

    def newest_device(self, dpid: int, value: str) -> str | None:
        """The platform UUID that was last linked to the ID (IDS-66)."""
        found = [
            row
            for con in (self._recent, self._copy)
            for row in con.execute("SELECT at, device FROM link WHERE dpid = ? AND id = ?", (dpid, value))
        ]
        return max(found)[1] if found else None

    def is_opted_out(self, dpid: int, value: str) -> bool:
        """Whether the ID is in the register of opt-outs."""
        query = "SELECT 1 FROM opt_out WHERE dpid = ? AND id = ?"
        return any(con.execute(query, (dpid, value)).fetchone() for con in (self._recent, self._copy))

    def last_linked(self, device: str) -> dict[int, str]:
        """When (text of a UTC time) a device was last seen linked, by data source."""
        linked: dict[int, str] = {}
        for con in (self._copy, self._recent):
            for dpid, at in con.execute("SELECT dpid, at FROM seen WHERE device = ?", (device,)):
                linked[dpid] = max(at, linked.get(dpid, ""))
        return linked

    # --- Taking in

    def settle(self, records: Sequence[Record], file: Path, size: int) -> None:
        """Know what these records say, which end at byte `size` of their file. Raises sqlite3.Error, and then knows nothing."""
        if self._writer is None:
            self._writer = _open_recent(self._home)
        _apply(self._writer, records, file, size)

    def refresh(self) -> None:
        """Look at a newly published file, if there is one."""
        copy = copy_published(self._home)
        if copy != self._copy_path:
            self._copy, old = _read_only(copy), self._copy
            self._copy_path = copy
            old.close()

    def is_stale(self) -> bool:
        """Whether something was published since the last look."""
        return not self._copy_path.name.endswith(f"-{_stamp(published_file(self._home))}.sqlite")

    def _catch_up(self) -> None:
        """Take in what was captured and is not known yet, by workers that are gone. A last line not whole was not answered."""
        applied = dict(self._recent.execute("SELECT file, bytes FROM applied").fetchall())
        for day in captured_days(self._home)[-_KEEP_DAYS - 1 :]:
            for path in capture_files(self._home, day):
                position = applied.get(_name(path), 0)
                if path.stat().st_size > position:
                    with open(path, "rb") as lines:
                        lines.seek(position)
                        self._take_lines(lines, path, position)

    def _take_lines(self, lines: Iterable[bytes], path: Path, position: int) -> None:
        records: list[Record] = []
        for line in lines:
            if not line.endswith(b"\n"):
                break
            records.append(json.loads(line))
            position += len(line)
            if len(records) >= _TOGETHER:
                _apply(self._recent, records, path, position)
                records = []
        _apply(self._recent, records, path, position)

    def close(self) -> None:
        """Let go of the files."""
        for con in (self._recent, self._copy, self._writer):
            if con is not None:
                con.close()


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _apply(con: sqlite3.Connection, records: Sequence[Record], file: Path, size: int) -> None:
    links, opt_outs = [], []
    for record in records:
        opt_outs += [(dpid, value, record["at"]) for dpid, value, _ in record.get("opt_outs", ())]
        if "device" in record:
            links += [(dpid, value, record["device"], record["at"]) for dpid, value, _ in record.get("ids", ())]
    con.execute("BEGIN IMMEDIATE")
    try:
        con.executemany(
            "INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET device = excluded.device, at = excluded.at"
            " WHERE excluded.at >= at",
            links,
        )
        con.executemany(
            "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at WHERE excluded.at > at",
            [(device, dpid, at) for dpid, _, device, at in links],
        )
        con.executemany("INSERT OR IGNORE INTO opt_out VALUES (?, ?, ?)", opt_outs)
        con.execute(
            "INSERT INTO applied VALUES (?, ?) ON CONFLICT DO UPDATE SET bytes = max(bytes, excluded.bytes)", (_name(file), size)
        )
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


if __name__ == "__main__":  # in a process of its own, so that copying does not hold up the calls
    copy_published(Path(sys.argv[1]))
