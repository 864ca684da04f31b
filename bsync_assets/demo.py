"""`bsync demo`: the shipped days, run afresh in the folder they lie in."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import date
from pathlib import Path

from bsync_assets.runs import RunRefused, run_days
from bsync_assets.transport.drops import RECEIPT

_WRITTEN_BY_RUNS = ("lake", "outbox", "mail", "dagster")


def demo_days(home: Path) -> tuple[date, date]:
    """First and last day that something was sent."""
    days = sorted({path.name.removeprefix("date=") for path in (home / "inbox").glob("*/date=*")})
    return date.fromisoformat(days[0]), date.fromisoformat(days[-1])


def run_demo(home: Path) -> bool:
    """Forget earlier runs of the demo, set the files' arrival times, which git does not keep, and run its days.

    Raises RunRefused for a workspace that is not the demo: its lake is not ours to forget.
    """
    script = importlib.util.spec_from_file_location("make_demo", home / "make_demo.py")
    if script is None or script.loader is None or not (home / "make_demo.py").exists():
        raise RunRefused(f"{home} is not the demo workspace; leave BSYNC_HOME unset to run the demo, or use `bsync run --day`")
    for name in _WRITTEN_BY_RUNS:
        shutil.rmtree(home / name, ignore_errors=True)
    for copy in (home / "inbox").rglob(f"*{RECEIPT}"):
        copy.unlink()
    make_demo = importlib.util.module_from_spec(script)
    script.loader.exec_module(make_demo)
    make_demo.set_arrival_times(home / "inbox")
    return run_days(home, *demo_days(home))
