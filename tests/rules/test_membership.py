"""Segment expressions over profiles given in full: lives of counts, folders, windows, merging."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules.membership import below, present_life, segment_result
from bsync_assets.rules.segments import TraitFacts

DAY = date(2026, 3, 31)


def ago(days: int) -> str:
    return (DAY - timedelta(days=days)).isoformat()


TRAITS: dict[str, dict[str, Any]] = {
    "1": {"type": "rule", "owner": "own", "ttl": 30},
    "2": {"type": "rule", "owner": "own", "ttl": 5},
    "3": {"type": "onboarded", "owner": "own", "ttl": 30},
    "4": {"type": "algorithmic", "owner": "own", "ttl": 0},
    "5": {"type": "rule", "owner": "3p"},
    "6": {"type": "folder", "owner": "own", "contains": [1, 3, 7]},
    "7": {"type": "folder", "owner": "own", "contains": [2, 4]},
    "8": {"type": "folder", "owner": "own", "contains": [8]},
}
STATE: dict[str, dict[str, list[list[Any]]]] = {
    "A": {"1": [[ago(3), 3]], "3": [[ago(20), 1], [ago(2), 1]], "4": [[ago(900), 1]]},
    "B": {"1": [[ago(29), 4], [ago(3), 1]], "3": [[ago(1), 1]], "2": [[ago(5), 9]]},
    "C": {"1": [[ago(30), 8]], "2": [[ago(12), 1], [ago(6), 2], [ago(1), 4]], "5": [[ago(119), 1]]},
    "D": {"1": [[ago(-1), 5]], "99": [[ago(0), 1]]},
}

CASES = [
    # expression, profiles, result
    pytest.param("1T", ["B"], True, id="TRT-083-active"),
    pytest.param("1T", ["C"], False, id="TRT-083-expired"),
    pytest.param("5T", ["C"], True, id="TRT-080-default-ttl"),
    pytest.param("1T", ["D"], False, id="SEG-050-future"),
    pytest.param("1T", ["nobody"], False, id="SEG-021-no-state"),
    pytest.param("FREQUENCY([1T]) == 5", ["B"], True, id="TRT-084-prolonged"),
    pytest.param("FREQUENCY([2T]) == 6", ["C"], True, id="TRT-084-anew-after-ttl-plus-one-days"),
    pytest.param("FREQUENCY([1T] <= 3D) == 1", ["B"], True, id="SEG-033-both-ends"),
    pytest.param("FREQUENCY([1T] >= 4D) == 4", ["B"], True, id="SEG-033-older"),
    pytest.param("FREQUENCY([2T] >= 1D) >= 1", ["B"], False, id="SEG-037-expired-hides-window"),
    pytest.param("FREQUENCY([1T,2T]) == 5", ["B"], True, id="SEG-034-sum"),
    pytest.param("FREQUENCY([1T]) == 8", ["A", "B"], True, id="SEG-008-sum"),
    pytest.param("FREQUENCY([1T]) == 3", ["A", "C"], True, id="SEG-008-ttl-before-merging"),
    pytest.param("2T AND 4T", ["A", "C"], True, id="SEG-008-union"),
    pytest.param("2T AND 4T", ["C"], False, id="SEG-008-alone"),
    pytest.param("4T", ["A"], True, id="TRT-080-never-expires"),
    pytest.param("7T", ["B"], False, id="SEG-036-folder-without-member"),
    pytest.param("6T", ["B"], True, id="SEG-036-folder"),
    pytest.param("7T", ["A"], True, id="SEG-036-folder-or"),
    pytest.param("FREQUENCY([6T]) == 5", ["A"], True, id="SEG-036-onboarded-adds-one"),
    pytest.param("FREQUENCY([6T] <= 2D) == 1", ["A"], True, id="SEG-036-dated-last"),
    pytest.param("FREQUENCY([6T] >= 3D) == 4", ["A"], True, id="SEG-036-only-last-date"),
    pytest.param("FREQUENCY([6T,7T,1T]) == 5", ["A"], True, id="SEG-034-named-and-in-folder"),
    pytest.param("FREQUENCY([6T] <= 2D) == 1", ["A", "B"], True, id="SEG-036-onboarded-one-when-merged"),
    pytest.param("1T AND FREQUENCY([8T]) == 0", ["A"], True, id="SEG-036-folder-in-itself"),
    pytest.param("1T AND NOT 9T", ["A"], "E_UNKNOWN_TRAIT", id="SEG-027-code"),
    pytest.param("FREQUENCY([5T]) >= 1", ["C"], "E_THIRD_PARTY", id="SEG-035-code"),
]


@pytest.mark.parametrize(("expression", "profiles", "result"), CASES)
def test_segment(expression: str, profiles: list[str], result: bool | str) -> None:
    asked = {
        "expression": expression,
        "profiles": profiles,
        "business_day": DAY.isoformat(),
        "traits": TRAITS,
        "state": STATE,
    }
    assert segment_result(asked) == result


@settings(deadline=None)
@given(
    counts=st.dictionaries(st.integers(0, 40), st.integers(1, 5), max_size=8),
    ttl_days=st.integers(0, 12),
)
def test_trt_084_as_a_counter_kept_day_by_day(counts: dict[int, int], ttl_days: int) -> None:
    """`counts`: realizations by age. A counter that is emptied at the midnight of expiry says the same."""
    total, last = 0, None
    for age in range(40, -1, -1):
        if last is not None and ttl_days and last - age > ttl_days:  # 00:00 of this day is ttl + 1 days after
            total, last = 0, None
        if age in counts:
            total, last = total + counts[age], age
    if last is not None and ttl_days and last >= ttl_days:  # as of the coming midnight
        total = 0
    life = present_life([(DAY - timedelta(days=age), n) for age, n in counts.items()], ttl_days, DAY)
    assert sum(count for _, count in life) == total


def test_seg_036_folders_are_looked_through_at_any_depth() -> None:
    deep = {i: TraitFacts("folder", own=True, contains=(i + 1,)) for i in range(5_000)}
    assert below([0], {**deep, 5_000: TraitFacts("rule", own=True)}) == {5_000}
