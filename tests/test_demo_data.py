"""The shipped inbox is what `data/make_demo.py` makes, to the byte, and its arrival times can be set anew."""

from __future__ import annotations

import os
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data import make_demo

SHIPPED = Path(make_demo.__file__).parent / "inbox"
DAYS = (make_demo.MONDAY, make_demo.TUESDAY, make_demo.WEDNESDAY)


def contents(inbox: Path) -> dict[str, bytes]:
    """Bytes of the files of the three days, by path below the inbox."""
    paths = [path for day in DAYS for path in inbox.glob(f"*/date={day}/*") if not path.name.endswith(".receipt.json")]
    return {path.relative_to(inbox).as_posix(): path.read_bytes() for path in paths}


def arrivals(inbox: Path) -> dict[str, datetime]:
    return {path.name: datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in inbox.glob("*/*/*")}


@pytest.mark.skipif("zlib-ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng packs the same content into other bytes")
def test_the_script_makes_the_shipped_inbox(tmp_path: Path) -> None:
    make_demo.write_inbox(tmp_path)
    made, shipped = contents(tmp_path), contents(SHIPPED)
    assert made.keys() == shipped.keys()
    assert [name for name in made if made[name] != shipped[name]] == []


def test_another_seed_makes_another_crowd(tmp_path: Path) -> None:
    make_demo.write_inbox(tmp_path, seed=make_demo.SEED + 1)
    made, shipped = contents(tmp_path), contents(SHIPPED)
    assert made.keys() == shipped.keys()  # the same business: who sends what, and when
    assert [name for name in made if made[name] == shipped[name]] == []


@pytest.mark.parametrize(
    ("name", "arrival"),
    [
        ("ftp_dpm_1001_1767584412.sync.gz", "2026-01-05 03:40:12"),  # the time stamp of the name
        ("ftp_dpm_1002_1767762000.overwrite.2", "2026-01-07 05:00:00"),
        ("ftp_dpm_20914_2001_20260106.sync", "2026-01-06 12:00:00"),  # no such time stamp: noon of its folder
    ],
)
def test_arrival_times_can_be_set_anew(name: str, arrival: str, tmp_path: Path) -> None:
    make_demo.write_inbox(tmp_path)
    made = arrivals(tmp_path)
    for path in tmp_path.glob("*/*/*"):
        os.utime(path)  # as after a checkout
    make_demo.set_arrival_times(tmp_path)
    assert arrivals(tmp_path) == made
    assert made[name] == datetime.fromisoformat(arrival).replace(tzinfo=UTC)


def test_files_of_other_days_are_left_alone(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    own = tmp_path / "acme" / "date=2026-01-08" / "ftp_dpm_1001_1767830400.sync"
    own.parent.mkdir()
    own.write_bytes(b"card-100001\td_sid=10101\n")
    make_demo.write_inbox(tmp_path)
    assert own.read_bytes() == b"card-100001\td_sid=10101\n"
