"""kill -9 at random moments, then the same run again: as if nothing had happened.

`BSYNC_KILLS` says how many kills; a workspace takes five of them before its run may finish.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from demo import DAYS, connect, copy_demo, differences, message_ids, tables, views

from bsync_assets.runs import run_days

KILLS = int(os.environ.get("BSYNC_KILLS", "25"))
A_WORKSPACE = 5

# Children of a server that has imported everything start at once, so that all kills hit the run itself.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["bsync_assets.runs"])


def run_in_a_process(home: Path) -> multiprocessing.process.BaseProcess:
    process = processes.Process(target=run_days, args=(home, DAYS[0], DAYS[-1]))
    process.start()
    return process


@pytest.fixture(scope="module")
def undisturbed_seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long the run takes when it is left alone; the kills fall into that time."""
    process = run_in_a_process(copy_demo(tmp_path_factory.mktemp("undisturbed") / "home"))
    start = time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - start


@pytest.mark.parametrize("seed", range(0, KILLS, A_WORKSPACE))
def test_a_killed_run_leaves_no_trace(seed: int, demo: Path, undisturbed_seconds: float, tmp_path: Path) -> None:
    home = copy_demo(tmp_path / "home")
    moments = random.Random(seed)
    kills = 0
    while kills < A_WORKSPACE:
        process = run_in_a_process(home)
        process.join(moments.uniform(0, undisturbed_seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        kills += process.exitcode != 0
        if (home / "lake" / "bsync.duckdb").exists():
            with connect(home) as connection:
                for view in views(connection):
                    connection.execute(f'SELECT * FROM "{view}"').fetchall()
        assert len(set(message_ids(home))) == len(message_ids(home))

    process = run_in_a_process(home)
    process.join()
    assert process.exitcode == 0
    assert differences(tables(demo), tables(home)) == {}
    assert message_ids(home) == message_ids(demo)
