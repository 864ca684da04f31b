"""What operators decide about files that came in: taking one out, letting a held one in. The days since are run again.

The decision stands in the manifest, with who and when, so that every later run and `bsync rebuild` abide by it.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from bsync_assets.assets.inbound_files import kept_files
from bsync_assets.assets.matched_traits import logical_name
from bsync_assets.catalog import Catalog
from bsync_assets.runs import run_days
from bsync_assets.sqlfiles import make, sql
from bsync_assets.transport.store import kept_path
from bsync_assets.warehouse.lake import attach, fetch_all, replace_day, single_writer, transaction

#: Digits of a hash that are enough to name a file by it.
_DIGITS = 12


class NotDecided(ValueError):
    """Nothing can be decided about such a file; says why."""


def retract(catalog: Catalog, name: str) -> list[str]:
    """Take a file out: the days from its own on are run again without it, receipts are amended, the next deliveries correct what
    destinations were told. Answers the keys of the parts taken out.

    `name` = the key in the manifest, `partner/name`, the name alone, or the first 12 digits of the hash; without part number and
    what follows it, all parts. The same bytes under the same name stay out from now on (INB-29). A retraction that was cut short
    is finished. Raises NotDecided, LakeBusy.
    """
    with single_writer(catalog.home, wait_seconds=60), closing(duckdb.connect()) as con:
        attach(con, catalog.home)
        files = _find(con, name, ("accepted", "held")) or _unfinished(con, name, "retracted")
        if not files:
            raise NotDecided(_why_not(con, name))
        _check_copies(con, catalog, files[0])
        _decide(con, files, "retracted", "retracted")
    run_days(catalog.home, files[0]["day"], files[0]["day"])
    return [file["key"] for file in files]


def let_in(catalog: Catalog, name: str) -> list[str]:
    """Let a held file in, or one that was retracted; else like `retract`. A held overwrite comes in with all its parts."""
    with single_writer(catalog.home, wait_seconds=60), closing(duckdb.connect()) as con:
        attach(con, catalog.home)
        files = _find(con, name, ("held", "retracted")) or _unfinished(con, name, "accepted")
        if not files:
            raise NotDecided(_why_not(con, name))
        if files[0]["status"] == "held":
            files = [file for file in _all_parts(con, files[0]) if file["status"] == "held"]
        _check_copies(con, catalog, files[0])
        _decide(con, files, "accepted", None)
    run_days(catalog.home, files[0]["day"], files[0]["day"])
    return [file["key"] for file in files]


def _named(con: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Files of the manifest that `name` may mean, oldest first."""
    found = fetch_all(con, sql(__file__, "decisions.sql"), {"base": name.rpartition("/")[2]})

    def is_meant(key: str, file: dict[str, Any]) -> bool:
        return key == name or key.endswith(f"/{name}") or f"{file['partner']}/{key.rpartition('/')[2]}" == name

    by_hash = [file for file in found if len(name) >= _DIGITS and file["sha256"].startswith(name)]
    whole = [file for file in found if is_meant(file["key"], file)]
    return by_hash or whole or [file for file in found if is_meant(logical_name(file["key"]), file)]


def _find(con: duckdb.DuckDBPyConnection, name: str, statuses: Sequence[str]) -> list[dict[str, Any]]:
    """The file or the parts of the one file that `name` means and that have one of these statuses. Raises NotDecided when it may
    mean several."""
    files = [file for file in _named(con, name) if file["status"] in statuses]
    if len({(file["day"], file["batch"], logical_name(file["key"])) for file in files}) > 1:
        listed = ", ".join(f"{file['key']} ({file['sha256'][:_DIGITS]})" for file in files[:10])
        raise NotDecided(f"{name} may mean {listed}; give the whole key, or the hash in parentheses")
    return files


def _unfinished(con: duckdb.DuckDBPyConnection, name: str, status: str) -> list[dict[str, Any]]:
    """Files about which this was decided already, but whose day no run has finished since."""
    return [file for file in _find(con, name, [status]) if file["is_unfinished"]]


def _all_parts(con: duckdb.DuckDBPyConnection, file: dict[str, Any]) -> list[dict[str, Any]]:
    parts = _named(con, logical_name(file["key"]))
    return [part for part in parts if (part["day"], part["batch"]) == (file["day"], file["batch"])]


def _why_not(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """Why nothing can be decided about `name`."""
    files = _named(con, name)
    if not files:
        return f"no file was ever taken in as {name}; the view inbound_files has the keys of all"
    file = next((file for file in files if file["decided_at"]), files[-1])
    decided = f"already, on {file['decided_at']:%Y-%m-%d %H:%M} UTC by {file['decided_by']}" if file["decided_at"] else ""
    match file["status"]:
        case "refused":
            return f"{file['key']} was refused ({file['reject_reason']}), so nothing of it was stored"
        case "retracted":
            return f"{file['key']} was retracted {decided}"
        case "accepted" if decided:
            return f"{file['key']} was let in {decided}"
        case status:
            return f"{file['key']} is {status}; it waits for no decision"


def _check_copies(con: duckdb.DuckDBPyConnection, catalog: Catalog, file: dict[str, Any]) -> None:
    """Days can be run again only as long as the copies of their files are kept (PRV-043). Raises NotDecided."""
    folder = kept_files(catalog.home)
    since = "SELECT key, sha256 FROM lake.main.inbound_files WHERE status = 'accepted' AND day >= $day ORDER BY day, key"
    needed = [(file["key"], file["sha256"]), *con.execute(since, {"day": file["day"]}).fetchall()]
    gone = next((key for key, sha256 in needed if not kept_path(folder, sha256).exists()), None)
    if gone is not None:
        periods = catalog.settings.retention
        raise NotDecided(
            f"{file['day']} cannot be run again, because the kept copy of {gone} is gone; copies end after "
            f"{periods.inbound_files_days} days (retention.inbound_files_days)"
        )


def _decide(con: duckdb.DuckDBPyConnection, files: Sequence[dict[str, Any]], status: str, reason: str | None) -> None:
    """Write the decision into the manifest of the day."""
    day: date = files[0]["day"]
    params = {"day": day, "file_ids": [file["file_id"] for file in files], "batch": files[0]["batch"], "status": status,
              "reason": reason, "who": _who(), "now": datetime.now(UTC).replace(tzinfo=None)}  # fmt: skip
    make(con, "manifest", sql(__file__, "decided_manifest.sql"), params)
    with transaction(con):
        replace_day(con, "inbound_files", day, "manifest")


def _who() -> str:
    """The account at the system that the command runs under."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return "unknown"
