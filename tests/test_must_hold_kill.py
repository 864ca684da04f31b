"""kill -9 at random moments, then the same run again: as if nothing had happened.

`BSYNC_KILLS` says how many kills (`make chaos` has hundreds); a workspace takes 13 of them before its run may finish.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import time
from datetime import date
from pathlib import Path

import pytest
from demo import DAYS, connect, copies, copy_demo, differences, message_ids, tables, views

from bsync_assets.runs import run_days

KILLS = int(os.environ.get("BSYNC_KILLS", "25"))
A_WORKSPACE = 13
WORKSPACES = [(DAYS[number % 2], number) for number in range(math.ceil(KILLS / A_WORKSPACE))]  # last day of its run, and seed

# Children of a server that has imported everything start at once, so that all kills hit the run itself.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["bsync_assets.runs"])


def start_run(home: Path, last: date) -> multiprocessing.process.BaseProcess:
    process = processes.Process(target=run_days, args=(home, DAYS[0], last))
    process.start()
    return process


def finish_run(home: Path, last: date) -> float:
    """Seconds that it took."""
    start = time.monotonic()
    process = start_run(home, last)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - start


def everything_opens(home: Path) -> None:
    """What analysts see after a kill: nothing yet, or views that all can be read."""
    if (home / "lake" / "bsync.duckdb").exists():
        with connect(home) as connection:
            for view in views(connection):
                connection.execute(f'SELECT * FROM "{view}"').fetchall()


@pytest.fixture(scope="module")
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[date, Path, float]:
    """(last day, workspace, seconds) of a run that is left alone; the kills fall into a time as long."""
    home = copy_demo(tmp_path_factory.mktemp("undisturbed") / "home")
    return request.param, home, finish_run(home, request.param)


@pytest.mark.parametrize(("undisturbed", "seed"), WORKSPACES, indirect=["undisturbed"])
def test_a_killed_run_leaves_no_trace(undisturbed: tuple[date, Path, float], seed: int, tmp_path: Path) -> None:
    last, reference, seconds = undisturbed
    home = copy_demo(tmp_path / "home")
    moments = random.Random(seed)
    kills = 0
    while kills < A_WORKSPACE:
        process = start_run(home, last)
        process.join(moments.uniform(0, seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        kills += process.exitcode != 0
        everything_opens(home)
        assert len(set(message_ids(home))) == len(message_ids(home))

    finish_run(home, last)
    assert differences(tables(reference), tables(home)) == {}
    assert message_ids(home) == message_ids(reference)
    assert copies(home) == copies(reference)
