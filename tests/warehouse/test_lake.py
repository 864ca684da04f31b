"""Writing to the lake: days replaced whole, states folded from base and change sets, lakes of older versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsync_assets.warehouse.lake import (
    LakeBusy,
    attach,
    commit_changes,
    rebase_if_due,
    replace_day,
    single_writer,
    state_as_of,
    transaction,
)
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

MONDAY = date(2026, 1, 5)
CHANGE = "dpid BIGINT, id VARCHAR, last_at TIMESTAMP, change VARCHAR, reason VARCHAR"


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect()) as con:
        attach(con, tmp_path)
        yield con


def change(con: duckdb.DuckDBPyConnection, day: date, changes: dict[str, str]) -> None:
    rows = ({"dpid": 0, "id": one, "last_at": None, "change": what, "reason": None} for one, what in changes.items())
    rows_table(con, "changed", CHANGE, rows)
    with transaction(con):
        commit_changes(con, "activity", day, "changed")


def ids(con: duckdb.DuckDBPyConnection, day: date) -> list[str]:
    return sorted(one for (one,) in con.execute("SELECT id FROM (" + state_as_of("activity") + ")", {"day": day}).fetchall())


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    days=st.lists(st.dictionaries(st.sampled_from("abcdef"), st.booleans(), max_size=4), min_size=1, max_size=6),
    again=st.integers(0, 5),
)
def test_a_state_is_what_its_changes_say_with_and_without_bases(
    days: list[dict[str, bool]], again: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    held: set[str] = set()
    expected = []
    with closing(duckdb.connect()) as con:
        attach(con, tmp_path_factory.mktemp("lake"))
        sets = []
        for number, changed in enumerate(days):
            day = MONDAY + timedelta(days=number)
            what = {one: ("added" if stays else "removed") for one, stays in changed.items()}
            sets.append((day, what))
            held = (held | {one for one, stays in changed.items() if stays}) - {o for o, stays in changed.items() if not stays}
            expected.append((day, sorted(held)))
            change(con, day, what)
            rebase_if_due(con, "activity", day)
        for day, what in sets[min(again, len(sets) - 1) :]:  # a day run again, and those after it
            change(con, day, what)
            rebase_if_due(con, "activity", day)
        assert [(day, ids(con, day)) for day, _ in sets] == expected
        bases = con.execute("SELECT count(DISTINCT as_of) FROM lake.main.activity_base").fetchone()
        assert bases is not None
        assert bases[0] <= 2
        assert con.execute("FROM ducklake_table_info('lake') WHERE delete_file_count > 0").fetchall() == []


def test_replacing_a_day_for_one_partner_keeps_the_others(con: duckdb.DuckDBPyConnection) -> None:
    columns = BY_NAME["profile_figures"].columns

    def rows(day: date, *names: str) -> None:
        given = ({"day": day, "partner": name, "file": name, "batch": 1, "total_removed_traits": 0} for name in names)
        rows_table(con, "figures", columns, given)

    rows(MONDAY, "acme", "globex")
    with transaction(con):
        replace_day(con, "profile_figures", MONDAY, "figures")
    rows(MONDAY, "acme", "acme")
    with transaction(con):
        replace_day(con, "profile_figures", MONDAY, "figures", ["acme"])
    kept = con.execute("SELECT partner, count(*) FROM lake.main.profile_figures GROUP BY ALL ORDER BY ALL").fetchall()
    assert kept == [("acme", 2), ("globex", 1)]


def test_a_failed_transaction_leaves_the_day_as_it_was(con: duckdb.DuckDBPyConnection) -> None:
    change(con, MONDAY, {"a": "added"})
    with pytest.raises(duckdb.Error), transaction(con):
        commit_changes(con, "activity", MONDAY, "(SELECT 1 AS no_such_column)")
    assert ids(con, MONDAY) == ["a"]


def test_a_lake_of_an_older_version_gets_what_it_lacks(tmp_path: Path) -> None:
    with closing(duckdb.connect()) as con:
        attach(con, tmp_path)
        con.execute("ALTER TABLE lake.main.runs DROP COLUMN catalog_sha256")
        con.execute("DROP TABLE lake.main.mail_outbox")
    with closing(duckdb.connect()) as con:
        attach(con, tmp_path)
        assert con.execute("SELECT count(catalog_sha256) FROM lake.main.runs").fetchone() == (0,)
        assert con.execute("SELECT count(*) FROM lake.main.mail_outbox").fetchone() == (0,)


def test_there_is_one_writer(tmp_path: Path) -> None:
    with single_writer(tmp_path), pytest.raises(LakeBusy, match="another run is writing"), single_writer(tmp_path):
        pass
    with single_writer(tmp_path):
        pass
