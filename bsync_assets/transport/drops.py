"""What lies in a partner's drop folder for a day, whatever place the folder is in.

- folders and S3: `<inbox>/<partner>/date=YYYY-MM-DD/<file>` (INB-02), asked for a day at a time;
- SFTP: `<inbox>/<partner>/<file>`, or `<inbox>/<file>` where the inbox is the partner's own; the day is that of arrival (INB-05).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bsync_assets.transport.places import Found, Place

#: A file whose name ends like this is still being written.
TEMPORARY_SUFFIXES = (".tmp", ".part", ".filepart", ".partial")
#: What an SFTP file is called after pick-up.
PROCESSED = ".processed"


@dataclass(frozen=True)
class Dropped:
    """One file as it lies in an inbox.

    `key` is its name in the manifest, `<partner>/date=<day>/<name>` wherever it lies; bytes that are no UTF-8 read `\\xff`.
    `arrived_at` is the object's modification time (UTC, without zone).
    """

    key: str
    found: Found
    arrived_at: datetime


def dropped_files(place: Place, partner: str, day: date) -> Iterator[Dropped]:
    """Files of one partner and day in order of arrival, then key; hidden, temporary and non-regular ones are passed over.

    Files in folders below the day's come too: their names are refused, not overlooked (INB-03). Raises PlaceError.
    """
    folder = f"{partner}/date={day.isoformat()}"
    dropped = []
    if place.has_day_folders:
        files = (found for found in place.files(folder) if not _passed_over(found.name))
        dropped += [Dropped(_printable(found.name), found, found.modified_at) for found in files]
    else:
        now = datetime.now(UTC).replace(tzinfo=None)
        for found in place.files(partner):
            arrived_at = min(found.modified_at, now + timedelta(minutes=5))  # a clock that runs ahead makes no file wait for days
            if arrived_at.date() == day and not _passed_over(found.name) and not found.name.endswith(PROCESSED):
                name = found.name.removeprefix(f"{partner}/")
                dropped.append(Dropped(_printable(f"{folder}/{name}"), found, arrived_at))
    yield from sorted(dropped, key=lambda file: (file.arrived_at, file.key))


def _passed_over(name: str) -> bool:
    return name.endswith((*TEMPORARY_SUFFIXES, ".receipt.json"))


def _printable(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
