"""Deliveries on disk, made once and kept, and runs of the product on them, by its command."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.make_delivery import __file__ as generator
from benchmarks.measure import Measured, measure

WRITTEN_BY_RUNS = ("lake", "outbox", "mail", "dagster")


@dataclass(frozen=True)
class Delivery:
    folder: Path
    records: int  # of all partners, per day
    bad_lines: int
    bytes: int
    link_day: str
    empty_day: str
    day: str

    @property
    def home(self) -> Path:
        return self.folder / "workspace"


def delivery(cache: Path, records: int, partners: int = 1, days: int = 1, hard: bool = False) -> Delivery:
    """The delivery with `records` records of each partner a day, made unless this generator has made it."""
    made_by = hashlib.sha256(Path(generator).read_bytes()).hexdigest()[:8]
    folder = cache / f"{records}x{partners}x{days}{'-hard' if hard else ''}-{made_by}"
    if not (folder / "delivery.json").exists():
        print(f"making {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "benchmarks.make_delivery", str(folder)]
        command += [
            "--records",
            str(records),
            "--partners",
            str(partners),
            "--days",
            str(days),
            *(["--hard"] if hard else []),
        ]
        measure(command)
    made = json.loads((folder / "delivery.json").read_text())
    return Delivery(
        folder,
        made["records"] * partners,
        made["bad_lines"],
        made["bytes"],
        made["link_day"],
        made["empty_day"],
        made["day"],
    )


def clear(given: Delivery) -> None:
    """Remove what earlier runs wrote, so that the next run is the first."""
    for name in WRITTEN_BY_RUNS:
        shutil.rmtree(given.home / name, ignore_errors=True)
    for copy in given.home.glob("inbox/*/*/*.receipt.json"):
        copy.unlink()


def warm(given: Delivery) -> None:
    """Read the inbox once, so that every contender finds it in the page cache."""
    for path in sorted(given.home.glob("inbox/*/*/*")):
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def run_day(given: Delivery, day: str) -> Measured:
    """`bsync run --day DAY` in the delivery's workspace."""
    print(f"bsync run --day {day} in {given.folder.name}", file=sys.stderr, flush=True)
    return measure([sys.executable, "-m", "bsync_assets.cli", "run", "--day", day], {"BSYNC_HOME": os.fspath(given.home)})
