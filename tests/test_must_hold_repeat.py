"""State is a fold over the manifest: how often, in which order and in what pieces days are run leaves no trace."""

from __future__ import annotations

from pathlib import Path

from demo import DAYS, copies, copy_demo, differences, message_ids, tables

from bsync_assets.runs import run_days

MONDAY, TUESDAY, WEDNESDAY = DAYS


def test_day_by_day_and_again_is_as_one_range(demo: Path, tmp_path: Path) -> None:
    """The demo itself ran its days as one range."""
    home = copy_demo(tmp_path / "day by day")
    for day in (MONDAY, TUESDAY, TUESDAY, WEDNESDAY):
        assert run_days(home, day, day)
    assert differences(tables(demo), tables(home)) == {}
    assert message_ids(home) == message_ids(demo)
    assert copies(home) == copies(demo)

    # State folds forward, so a run of the first day runs the later ones again.
    assert run_days(home, MONDAY, MONDAY)
    assert differences(tables(demo), tables(home)) == {}
    assert message_ids(home) == message_ids(demo)
