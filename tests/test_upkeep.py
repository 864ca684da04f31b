"""Retention, maintenance, backup and rebuilding, on the demo's three days: PRV-043 to PRV-04D, INB-160 to INB-163."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from demo import DAYS, connect, copy_demo, differences, message_ids, tables

from bsync_assets.assets.maintenance import end_retention
from bsync_assets.runs import dagster_home, run_days
from bsync_assets.upkeep import RebuildRefused, maintain, rebuild
from bsync_assets.warehouse.lake import attach, single_writer
from bsync_assets.warehouse.publish import publish
from bsync_assets.workspace import open_catalog

FIRST, SECOND, LAST = DAYS


@pytest.fixture
def home(demo: Path, tmp_path: Path) -> Path:
    """A workspace of its own with the demo's days run; restored as a backup is, in another place."""
    shutil.copytree(demo, tmp_path / "restored")
    return tmp_path / "restored"


def count(home: Path, table: str, where: str = "true") -> int:
    with duckdb.connect() as con:
        attach(con, home)
        row = con.execute(f"SELECT count(*) FROM lake.main.{table} WHERE {where}").fetchone()
    assert row is not None
    return int(row[0])


def end(home: Path, day: date) -> dict[str, int]:
    with single_writer(home), duckdb.connect() as con:
        attach(con, home)
        return end_retention(con, open_catalog(home), day)


def test_a_backup_restored_elsewhere_runs_and_mails_nothing_again(demo: Path, home: Path) -> None:
    assert run_days(home, LAST, LAST)
    assert differences(tables(demo), tables(home)) == {}
    assert message_ids(home) == message_ids(demo)


def test_maintenance_changes_nothing_that_is_published(demo: Path, home: Path) -> None:
    report = maintain(open_catalog(home))
    assert report["merged files"] > 0
    assert differences(tables(demo), tables(home)) == {}
    assert maintain(open_catalog(home)).get("merged files", 0) == 0
    with duckdb.connect() as con:
        attach(con, home)
        assert con.execute("FROM ducklake_table_info('lake') WHERE delete_file_count > 0").fetchall() == []
    assert run_days(home, LAST, LAST)
    assert differences(tables(demo), tables(home)) == {}


def test_maintenance_prunes_runs_from_the_event_log(demo: Path, home: Path) -> None:
    def runs() -> int:
        dagster_home(home)
        with dg.DagsterInstance.get() as instance:
            return instance.get_runs_count()

    before = runs()
    assert before > 0
    assert "runs in Dagster's event log" not in maintain(open_catalog(home))  # younger than 90 days
    assert runs() == before
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"retention": {"event_log_days": 0}}))
    assert maintain(open_catalog(home))["runs in Dagster's event log"] == before
    assert runs() == 0
    assert run_days(home, LAST, LAST)
    assert message_ids(home) == message_ids(demo)


def test_PRV_043_inbound_files_and_their_copies_end_after_30_days(home: Path) -> None:
    copies = len(list((home / "lake/files").iterdir()))
    assert end(home, FIRST + timedelta(days=29)) == {}
    assert end(home, FIRST + timedelta(days=30))["inbox files"] > 0
    assert not [path for path in home.glob(f"inbox/*/date={FIRST}/*") if path.is_file()]
    assert [path for path in home.glob(f"inbox/*/date={SECOND}/*") if path.is_file()]
    assert 0 < len(list((home / "lake/files").iterdir())) < copies
    end(home, LAST + timedelta(days=30))
    assert list((home / "lake/files").iterdir()) == []


def test_INB_161_a_file_that_nobody_has_read_stays(home: Path) -> None:
    late = home / f"inbox/acme/date={FIRST}/ftp_dpm_1001_1767584499.sync"
    late.write_bytes(b"x\ty\n")
    end(home, FIRST + timedelta(days=30))
    assert late.exists()


def test_PRV_046_raw_rows_end_after_60_days_and_figures_after_13_months(home: Path) -> None:
    figures = count(home, "data_figures")
    rejected = count(home, "rejected_lines", f"day > '{FIRST}'")
    end(home, FIRST + timedelta(days=59))
    assert count(home, "rejected_lines", f"day = '{FIRST}'") > 0
    went = end(home, FIRST + timedelta(days=60))
    assert went["rejected_lines"] > 0
    assert count(home, "rejected_lines", f"day = '{FIRST}'") == 0
    assert count(home, "rejected_lines") == rejected
    assert count(home, "data_figures") == figures
    went = end(home, FIRST + timedelta(days=390))
    assert went["receipts"] > 0
    assert count(home, "receipts", f"day = '{FIRST}'") == 0
    assert count(home, "receipts") > 0
    with duckdb.connect() as con:
        attach(con, home)
        assert con.execute("FROM ducklake_table_info('lake') WHERE delete_file_count > 0").fetchall() == []


def test_PRV_042_a_link_that_was_pushed_out_is_known_while_its_device_may_live_by_it(home: Path) -> None:
    with single_writer(home), duckdb.connect() as con:
        attach(con, home)
        con.execute(f"INSERT INTO lake.main.evicted_links BY NAME SELECT DATE '{FIRST}' AS day, 0 AS device_dpid, '1' AS id")
    end(home, FIRST + timedelta(days=60 + 120 - 1))
    assert count(home, "evicted_links") == 1
    assert end(home, FIRST + timedelta(days=60 + 120))["evicted_links"] == 1
    assert count(home, "evicted_links") == 0


def test_PRV_046_what_is_older_goes_and_the_state_of_today_stays(home: Path) -> None:
    states = ("profile_traits", "id_links", "segment_members", "email_links")
    with connect(home) as views:
        before = [views.execute(f"FROM {state} ORDER BY ALL").fetchall() for state in states]
    changes = count(home, "profile_traits_changes")
    end(home, LAST + timedelta(days=100))
    assert count(home, "profile_traits_changes") < changes
    with single_writer(home), duckdb.connect() as con:
        attach(con, home)
        publish(con, home)
    with connect(home) as views:
        assert [views.execute(f"FROM {state} ORDER BY ALL").fetchall() for state in states] == before


@pytest.mark.parametrize("first", [FIRST, LAST])
def test_a_rebuilt_lake_equals_the_original(home: Path, tmp_path: Path, first: date) -> None:
    assert rebuild(open_catalog(home), tmp_path / "rebuilt", first) == {}
    assert not list((tmp_path / "rebuilt/mail").glob("new/*")), "a rebuilt workspace mails nothing"
    assert differences(tables(home), tables(tmp_path / "rebuilt")).keys() <= {"runs", "catalog_versions"}


def test_a_rebuilt_lake_tells_what_differs(home: Path, tmp_path: Path) -> None:
    traits = home / "catalog/traits.yaml"
    declared = yaml.safe_load(traits.read_text())
    traits.write_text(yaml.safe_dump([trait | ({"ttl_days": 1} if "rule" in trait else {}) for trait in declared]))
    assert "profile_traits" in rebuild(open_catalog(home), tmp_path / "rebuilt", FIRST)


def test_rebuild_does_not_write_over_anything(home: Path, tmp_path: Path) -> None:
    with pytest.raises(RebuildRefused, match="not empty"):
        rebuild(open_catalog(home), home)
    fresh = copy_demo(tmp_path / "fresh")
    with pytest.raises(RebuildRefused, match="no day has been run"):
        rebuild(open_catalog(fresh), tmp_path / "rebuilt")
