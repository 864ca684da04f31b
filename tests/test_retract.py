"""A file that is retracted leaves the tables as if it had never come; what was said about it is amended."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import test_oracle as worlds
import yaml
from workspaces import write_import, write_inbound, write_workspace

from bsync_assets import connect
from bsync_assets.decisions import NotDecided, let_in, retract
from bsync_assets.importing import import_state
from bsync_assets.runs import run_days
from bsync_assets.sqlfiles import one
from bsync_assets.upkeep import rebuild
from bsync_assets.workspace import open_catalog

#: What tells that something was retracted, and so differs.
ASIDE = ("inbound_files", "onboarding_status", "receipts", "id_sync_receipts", "mail_outbox", "runs", "catalog_versions")
#: The figures of receipts that hold, without what says how they came about and without those that say nothing.
HOLDING = """
    SELECT * EXCLUDE (run_id, job_start, job_end, revision, why, as_of) FROM (
        FROM {}.main.{} QUALIFY row_number() OVER (PARTITION BY {} ORDER BY revision DESC) = 1
    ) WHERE files > 0
"""
DOCUMENTS = {"receipts": "day, partner, dpid, target, batch", "id_sync_receipts": "day, partner, file, batch"}


def differing(home: Path, other: Path) -> list[str]:
    """Views whose rows differ between two workspaces."""
    with closing(connect(home)) as con:
        con.execute(f"ATTACH '{other / 'lake/bsync.duckdb'}' AS other (READ_ONLY)")
        views = [name for (name,) in con.execute("SHOW TABLES").fetchall() if name not in ASIDE]
        assert len(views) > 30
        return [view for view in views if _rows_apart(con, f"FROM {view}", f"FROM other.main.{view}")]


def _rows_apart(con: Any, left: str, right: str) -> int:
    return sum(one(con, f"SELECT count(*) FROM (({a}) EXCEPT ALL ({b}))") for a, b in ((left, right), (right, left)))


@pytest.mark.parametrize("seed", worlds.SEEDS[::3])
def test_a_retracted_file_leaves_the_tables_as_if_it_had_never_come(seed: int) -> None:
    world = worlds.made_up(seed, 8)
    with tempfile.TemporaryDirectory() as folder:
        home, other = Path(folder) / "home", Path(folder) / "other"
        tables = worlds.run(home, world, worlds.DAYS[-1])
        accepted = [row["key"] for row in tables["files"] if row["status"] == "accepted"]
        chosen = random.Random(seed).choice(accepted)
        assert retract(open_catalog(home), chosen) == [chosen]
        without = tuple(replace(case, files=[f for f in case.files if f.key != chosen]) for case in world)
        worlds.run(other, without, worlds.DAYS[-1])

        assert differing(home, other) == []
        with closing(connect(home)) as con:
            con.execute(f"ATTACH '{other / 'lake/bsync.duckdb'}' AS other (READ_ONLY)")
            for table, key in DOCUMENTS.items():
                assert _rows_apart(con, *(HOLDING.format(side, table, key) for side in ("bsync", "other"))) == 0


DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1, "contacts": ["data@acme.example"]}],
    "data_sources": [{"id": 1001, "owner": "acme"}],
    "traits": [{"id": 24, "name": "Camper", "data_source": 1001}, {"id": 25, "name": "Hiker", "data_source": 1001}],
    "segments": [{"id": 900, "name": "Campers", "data_source": 1001, "rule": "24T"}],
    "destinations": [{"id": 1, "name": "dsp", "dpid": 888, "to": "outbox/dsp", "segments": [{"id": 900}]}],
}
SYNC, DATA, MORE = "adobe_id_0_1001_1767600000.sync", "ftp_dpm_1001_1767600001.sync", "ftp_dpm_1001_1767600002.sync"


def uuid(number: int) -> str:
    return f"{number:038d}"


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cookie that is linked, and data about it, on the first day; nothing on the second. For reading only."""
    home = tmp_path_factory.mktemp("retract") / "home"
    write_workspace(home, CATALOG, DAY)
    write(home, SYNC, f"{uuid(1)}\tann\n{uuid(2)}\tbob\n")
    write(home, DATA, "ann\td_sid=24\nbob\td_sid=25\n")
    write(home, MORE, "bob\td_sid=24\n", minutes=1)
    write(home, "ftp_dpm_1009_1767600003.sync", "ann\td_sid=24\n")
    assert run_days(home, DAY, NEXT)
    return home


def write(home: Path, name: str, content: str, day: date = DAY, minutes: int = 0) -> None:
    write_inbound(home, "acme", day, name, content.encode(), datetime(day.year, day.month, day.day, 8, minutes, tzinfo=UTC))


@pytest.fixture
def home(two_days: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(two_days, tmp_path / "home")
    return tmp_path / "home"


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(home)) as views:
        return views.execute(query).fetchall()


def test_INB_138_receipts_are_amended_and_say_why_and_destinations_are_corrected(home: Path, tmp_path: Path) -> None:
    key = f"acme/date={DAY}/{MORE}"
    assert retract(open_catalog(home), MORE) == [key]

    ((status, reason, who, when),) = rows(
        home, f"SELECT status, reject_reason, decided_by, decided_at FROM inbound_files WHERE key = '{key}'"
    )
    assert (status, reason) == ("retracted", "retracted") and who and when > datetime(2026, 1, 5)
    figures = "SELECT revision, files, records_received, stored_records, balanced, why FROM receipts ORDER BY revision"
    first, second = rows(home, figures)
    assert first == (1, 2, 3, 3, True, None)
    assert second[:-1] == (2, 1, 2, 2, True)
    assert key in second[-1] and "retracted" in second[-1]
    (mail,) = [text for path in (home / "mail/new").iterdir() if "Revision 2" in (text := path.read_text())]
    assert MORE in mail and "retracted" in mail

    # What the destination was told stands until the next delivery, which takes it back.
    assert rows(home, "SELECT count(*) FROM segment_members") == [(1,)]
    assert run_days(home, NEXT + timedelta(days=1), NEXT + timedelta(days=1))
    told = rows(home, "SELECT day, added, removed FROM deliveries ORDER BY day")
    assert told == [(DAY, 2, 0), (NEXT, 0, 0), (NEXT + timedelta(days=1), 0, 1)]

    # A lake made anew abides by it.
    assert rebuild(open_catalog(home), tmp_path / "anew") == {}
    assert rows(tmp_path / "anew", f"SELECT status FROM inbound_files WHERE key = '{key}'") == [("retracted",)]


def test_a_sync_file_is_taken_out_and_may_be_let_in_again(home: Path, two_days: Path) -> None:
    sync = f"acme/{SYNC}"
    retract(open_catalog(home), sync)
    assert rows(home, "SELECT count(*) FROM id_links") == [(0,)]
    counted = "SELECT revision, files, records_received, stored_records, balanced FROM {} ORDER BY revision"
    assert rows(home, counted.format("id_sync_receipts")) == [(1, 1, 2, 2, True), (2, 0, 0, 0, True)]
    assert rows(home, counted.format("receipts")) == [(1, 2, 3, 3, True), (2, 2, 3, 0, True)]

    # INB-29: the same bytes under the same name stay out.
    write(home, SYNC, f"{uuid(1)}\tann\n{uuid(2)}\tbob\n", minutes=9)
    assert run_days(home, DAY, DAY)
    came = rows(home, f"SELECT status FROM inbound_files WHERE key LIKE '%{SYNC}' ORDER BY batch")
    assert came == [("retracted",), ("duplicate",)]
    assert rows(home, "SELECT count(*) FROM id_links") == [(0,)]

    let_in(open_catalog(home), sync)
    assert rows(home, "SELECT count(*) FROM id_links") == [(2,)]
    assert differing(home, two_days) == []
    assert rows(home, counted.format("receipts"))[-1] == (3, 2, 3, 3, True)


def test_a_retraction_that_was_cut_short_is_finished_and_nothing_left_is_a_receipt_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("bsync_assets.decisions.run_days", killed)
        retract(open_catalog(home), MORE)
    assert retract(open_catalog(home), MORE) == [f"acme/date={DAY}/{MORE}"]
    assert rows(home, "SELECT count(*) FROM segment_members") == [(1,)]

    retract(open_catalog(home), DATA)
    latest = "SELECT files, records_received, total_devices, balanced FROM receipts ORDER BY revision DESC LIMIT 1"
    assert rows(home, latest) == [(0, 0, 0, True)]
    assert rows(home, "SELECT count(*) FROM profile_traits") == [(0,)]


def mistakes() -> Iterator[tuple[str, str]]:
    yield "nowhere.sync", "no file was ever taken in as nowhere.sync"
    yield "ftp_dpm_1009_1767600003.sync", "was refused (unknown_dpid), so nothing of it was stored"
    yield DATA, "cannot be run again, because the kept copy of"
    yield f"date={DAY}/{MORE}", "was retracted already, on 2"


def test_what_cannot_be_retracted_is_said_in_one_sentence(home: Path) -> None:
    catalog = open_catalog(home)
    retract(catalog, MORE)
    ((sha256,),) = rows(home, f"SELECT sha256 FROM inbound_files WHERE key LIKE '%{DATA}'")
    (home / "lake/files" / sha256).unlink()
    for name, sentence in mistakes():
        with pytest.raises(NotDecided) as refusal:
            retract(catalog, name)
        assert sentence in str(refusal.value) and "\n" not in str(refusal.value)
    with pytest.raises(NotDecided, match="is accepted; it waits for no decision"):
        let_in(catalog, DATA)


# --- Overwrites that take away much


def test_an_overwrite_that_takes_away_too_much_waits_and_nothing_else_does(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_workspace(home, CATALOG, DAY)
    held = {f"0:{uuid(n)}": [24] for n in range(2000)}
    devices = [f"0:{uuid(n)}" for n in range(2000)]
    state = {"profiles": held, "mappings": [(f"1001:c{n}", device) for n, device in enumerate(devices)]}
    import_state(home, write_import(tmp_path / "state.jsonl", state, devices, DAY))
    parts = [f"ftp_dpm_1001_1767600000.overwrite.{part}" for part in (1, 2)]
    for part, name in enumerate(parts):
        write(home, name, "".join(f"c{n}\td_sid=25\n" for n in range(part, 1200, 2)) + "broken\n")
    write(home, MORE, "c1999\td_sid=25\n", minutes=1)
    assert run_days(home, DAY, DAY)

    manifest = rows(home, "SELECT status, reject_reason, would_remove FROM inbound_files ORDER BY key")
    assert manifest == [*[("held", "removes_too_much", 1200)] * 2, ("accepted", None, None)]
    assert rows(home, "SELECT trait_id, count(*) FROM profile_traits GROUP BY ALL ORDER BY ALL") == [(24, 2000), (25, 1)]
    assert rows(home, "SELECT count(*) FROM rejected_lines") == [(0,)]
    assert rows(home, "SELECT files, records_received, stored_records FROM receipts") == [(1, 1, 1)]
    mails = [text for path in (home / "mail/new").iterdir() if parts[0] in (text := path.read_text())]
    assert len(mails) == 3 and all("bsync release" in mail and parts[1] in mail for mail in mails), "notice, receipt, to-do list"

    # It is as if it had been held from the start.
    again = tmp_path / "again"
    shutil.copytree(home, again)
    assert run_days(again, DAY, DAY)
    assert differing(home, again) == []

    assert len(let_in(open_catalog(home), parts[0])) == 2
    assert rows(home, "SELECT trait_id, count(*) FROM profile_traits GROUP BY ALL ORDER BY ALL") == [(24, 800), (25, 1201)]
    assert rows(home, "SELECT revision, files, stored_records FROM receipts ORDER BY revision DESC LIMIT 1") == [(2, 3, 1201)]
    assert rows(home, "SELECT count(*) FROM inbound_files WHERE status = 'accepted' AND would_remove = 1200") == [(2,)]

    # Half of them may go; and what was let in once stays in, whatever is declared later.
    write(home, "ftp_dpm_1001_1767690000.overwrite", "".join(f"c{n}\td_sid=24\n" for n in range(1, 1001)), NEXT)
    for share in (0.5, 0.1):
        sources = [CATALOG["data_sources"][0] | {"hold_removals_over": share}]
        (home / "catalog/data_sources.yaml").write_text(yaml.safe_dump(sources))
        assert run_days(home, NEXT, NEXT)
        assert rows(home, f"SELECT status FROM inbound_files WHERE day = DATE '{NEXT}'") == [("accepted",)]
    assert rows(home, "SELECT trait_id, count(*) FROM profile_traits GROUP BY ALL ORDER BY ALL") == [(24, 1800), (25, 201)]


def test_how_much_may_go_is_declared_at_the_data_source(tmp_path: Path) -> None:
    sources = [{"id": 1001, "owner": "acme", "hold_removals_over": 1.5}]
    write_workspace(tmp_path, CATALOG | {"data_sources": sources}, DAY)
    with pytest.raises(Exception, match=r"hold_removals_over: expected 1.0 or less"):
        open_catalog(tmp_path)
    (tmp_path / "catalog/data_sources.yaml").write_text(yaml.safe_dump([sources[0] | {"hold_removals_over": 1}]))
    assert open_catalog(tmp_path).data_sources[1001].hold_removals_over == 1
