"""Time to live, in Python and in SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.rules import ttl
from bsync_assets.sqlfiles import sql


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(sql(ttl.__file__, "ttl.sql"))
    return con


def test_trt_082_one_day_lasts_to_the_end_of_the_next() -> None:
    end = datetime(2026, 3, 3, tzinfo=UTC)
    assert ttl.expires_at(datetime(2026, 3, 1, tzinfo=UTC), 1) == end
    assert ttl.expires_at(datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC), 1) == end


def test_trt_082_the_utc_date_counts() -> None:
    late_in_new_york = datetime(2026, 2, 28, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert ttl.expires_at(late_in_new_york, 1) == datetime(2026, 3, 3, tzinfo=UTC)
    assert ttl.expires_at(datetime(2026, 3, 1, 3), 1) == datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize("ttl_days", [0, ttl.LONGEST_LIFE + 1, 10**18])
def test_trt_080_never(ttl_days: int, con: duckdb.DuckDBPyConnection) -> None:
    assert ttl.expires_at(datetime(2026, 3, 1, tzinfo=UTC), ttl_days) is None
    assert ttl.is_active(date(2026, 3, 1), ttl_days, date(9000, 1, 1))
    answer = con.execute("SELECT expires_at(TIMESTAMP '2026-03-01 05:00:00', $days)", {"days": ttl_days})
    assert answer.fetchall() == [(None,)]


@settings(deadline=None)
@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 1000), st.integers(0, 1100))
def test_trt_083_active_while_younger_than_the_ttl(last: date, ttl_days: int, age: int) -> None:
    assert ttl.is_active(last, ttl_days, last + timedelta(days=age)) is (age < ttl_days)


@settings(deadline=None)
@given(
    last=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
    ttl_days=st.integers(0, ttl.LONGEST_LIFE),
)
def test_trt_083_sql_and_python_agree(con: duckdb.DuckDBPyConnection, last: datetime, ttl_days: int) -> None:
    answer = con.execute("SELECT expires_at($last, $days)", {"last": last, "days": ttl_days}).fetchall()
    expected = ttl.expires_at(last, ttl_days)
    assert answer == [(expected and expected.replace(tzinfo=None),)]
