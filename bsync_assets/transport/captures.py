"""Where the HTTP service keeps the calls it answered: `lake/events/date=YYYY-MM-DD/<writer>.jsonl`, one line of JSON per call.

A line is whole when it ends with LF; a last line without one was never answered. Files of a day that is over do not
change; they go, all of a day together, when retention ends.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path


def capture_root(home: Path) -> Path:
    """The folder of all days."""
    return home / "lake" / "events"


def capture_folder(home: Path, day: date) -> Path:
    """The folder of one UTC day, which need not exist."""
    return capture_root(home) / f"date={day.isoformat()}"


def capture_files(home: Path, day: date) -> list[Path]:
    """The files of one day, in a fixed order."""
    return sorted(capture_folder(home, day).glob("*.jsonl"))


def captured_days(home: Path) -> list[date]:
    """Days with calls, oldest first."""
    return sorted(date.fromisoformat(folder.name.removeprefix("date=")) for folder in capture_root(home).glob("date=*"))
