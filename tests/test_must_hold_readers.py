"""Analysts query all through a run: no error, no waiting, and they see finished runs only."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from demo import DAYS, connect, copy_demo
from watching import look, watch

from bsync_assets.runs import run_days

MONDAY, _, WEDNESDAY = DAYS
processes = multiprocessing.get_context("spawn")


def test_three_readers_all_through_a_three_day_run(tmp_path: Path) -> None:
    home = copy_demo(tmp_path / "home")
    assert run_days(home, MONDAY, MONDAY)
    with connect(home) as connection:
        before = look(connection)

    stop = processes.Event()
    readers = []
    for opens_anew in (True, True, False):
        mine, theirs = processes.Pipe()
        reader = processes.Process(target=watch, args=(home, stop, theirs, opens_anew))
        reader.start()
        readers.append((opens_anew, mine, reader))
    try:
        assert [pipe.recv() for _, pipe, _ in readers] == ["looking"] * 3
        assert run_days(home, MONDAY, WEDNESDAY)
    finally:
        stop.set()
        for _, _, reader in readers:
            reader.join()
    with connect(home) as connection:
        after = look(connection)
    assert after != before

    for opens_anew, pipe, _ in readers:
        times, looks = pipe.recv()
        assert times > 2
        # Who keeps a session open keeps what it saw first.
        assert looks in ([before], [before, after]) if opens_anew else looks == [before]
