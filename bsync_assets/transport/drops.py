"""What lies in a partner's drop folder for a day, whatever place the folder is in.

- folders and S3: `<inbox>/<partner>/date=YYYY-MM-DD/<file>` (INB-02), asked for a day at a time;
- SFTP: `<inbox>/<partner>/<file>`; the day is that of arrival (INB-05).

An inbox that only one partner has may leave out the folder `<partner>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath

from bsync_assets.transport.places import Found, Place, is_proper_name

#: A file whose name ends like this is still being written.
TEMPORARY_SUFFIXES = (".tmp", ".part", ".filepart", ".partial")
#: Files in this folder of a partner are judged and answered, never taken in (INB-07).
TEST_FOLDER = "test"
#: What an SFTP file is called after pick-up.
PROCESSED = ".processed"
#: What we put next to a file says so by this ending; such names are never taken in.
RECEIPT = ".receipt.json"
_LONGEST_NAME = 255  # bytes, of one part of a path


@dataclass(frozen=True)
class Dropped:
    """One file as it lies in an inbox.

    `key` is its name in the manifest, `<partner>/date=<day>/<name>` wherever it lies; bytes that are no UTF-8 read `\\xff`.
    `arrived_at` is the object's modification time (UTC, without zone).
    """

    key: str
    found: Found
    arrived_at: datetime


def dropped_files(place: Place, partner: str, day: date, *, own: bool = False, late_days: int = 7) -> Iterator[Dropped]:
    """Files of one partner and day in order of arrival, then key; hidden, temporary and non-regular ones are passed over.

    Files in folders below the day's come too: their names are refused, not overlooked (INB-03). `own` = the inbox is this
    partner's alone. An SFTP file that says it is older than `late_days` belongs to today: nobody runs its day any more.
    Raises PlaceError.
    """
    if place.has_day_folders:
        dropped = _in_day_folders(place, partner, day, own)
    else:
        dropped = _by_arrival(place, partner, day, own, late_days)
    yield from sorted(dropped, key=lambda file: (file.arrived_at, file.key))


def _in_day_folders(place: Place, partner: str, day: date, own: bool) -> Iterator[Dropped]:
    folder = f"date={day.isoformat()}"
    for above in (f"{partner}/", "") if own else (f"{partner}/",):
        for found in place.files(above + folder):
            if not _passed_over(found.name):
                yield Dropped(_printable(found.name if above else f"{partner}/{found.name}"), found, found.modified_at)


def _by_arrival(place: Place, partner: str, day: date, own: bool, late_days: int) -> Iterator[Dropped]:
    now = datetime.now(UTC).replace(tzinfo=None)
    for found in place.files("" if own else partner):
        name = found.name.removeprefix(f"{partner}/")
        if _passed_over(name) or is_processed(name) or name.startswith(f"{TEST_FOLDER}/"):
            continue
        arrived_at = min(found.modified_at, now + timedelta(minutes=5))  # a clock that runs ahead makes no file wait for days
        too_late = arrived_at.date() < now.date() - timedelta(days=late_days)
        if day == arrived_at.date() or (too_late and day == now.date()):
            yield Dropped(_printable(f"{partner}/date={day.isoformat()}/{name}"), found, arrived_at)


def processed_name(name: str) -> str:
    """What a file is called after pick-up: `.processed` instead of `.sync`, `.overwrite` or any other extension (INB-05)."""
    path = PurePosixPath(name)
    marked, known = re.subn(r"\.(sync|overwrite)(?=\.|$)", PROCESSED, path.name, count=1)
    return str(path.with_name(marked if known else path.stem + PROCESSED))


def is_processed(name: str) -> bool:
    """Whether a file was picked up before, by its name."""
    return PROCESSED in PurePosixPath(name).suffixes


def _passed_over(name: str) -> bool:
    return name.endswith((*TEMPORARY_SUFFIXES, RECEIPT))


def can_be_answered(key: str) -> bool:
    """Whether the receipt of a file can lie next to it: its name leaves room for the ending, and leads nowhere else."""
    return is_proper_name(key) and len(key.rpartition("/")[2].encode() + RECEIPT.encode()) <= _LONGEST_NAME


def receipt_name(place: Place, key: str, *, own: bool = False) -> str:
    """Where in its inbox the receipt of a file of the manifest lies: next to the file, under the name it was delivered with.

    Raises PlaceError.
    """
    partner, day, name = key.split("/", 2)
    if not place.has_day_folders:
        return (name if own else f"{partner}/{name}") + RECEIPT
    below = f"{day}/{name}"
    return (below if own and place.size(below) is not None else key) + RECEIPT


def _printable(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
