"""Drop folders on the local disk: `<inbox>/<partner>/date=YYYY-MM-DD/<file>`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

#: A file whose name ends like this is still being written.
TEMPORARY_SUFFIXES = (".tmp", ".part", ".filepart", ".partial")


@dataclass(frozen=True)
class Dropped:
    """One file as it lies in the inbox: its key below the inbox, where to read it, when it arrived (UTC)."""

    key: str
    path: Path
    arrived_at: datetime


def dropped_files(inbox: Path, partner: str, day: date) -> Iterator[Dropped]:
    """Files of one partner and day in order of arrival, then name; hidden, temporary and non-regular ones are passed over.

    Files in folders below the day's come too: their names are refused, not overlooked (INB-03).
    """
    folder = inbox / partner / f"date={day.isoformat()}"
    found = []
    for path in folder.rglob("*"):
        if path.name.startswith(".") or path.name.endswith((*TEMPORARY_SUFFIXES, ".receipt.json")) or path.is_symlink():
            continue
        if path.is_file():
            arrived = datetime.fromtimestamp(path.stat().st_mtime_ns // 1000 / 1e6, UTC).replace(tzinfo=None)
            found.append(Dropped(path.relative_to(inbox).as_posix(), path, arrived))
    yield from sorted(found, key=lambda file: (file.arrived_at, file.key))
