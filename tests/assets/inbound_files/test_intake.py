"""The manifest through real places: what is taken in, what waits, and that nothing comes in twice. INB-01 to INB-05, INB-29."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from transport.servers import S3Server, SftpServer, free_port
from workspaces import write_inbound, write_workspace

from bsync_assets.assets import inbound_files
from bsync_assets.assets.inbound_files import CopyGoneError, kept_files, take_stock, to_read
from bsync_assets.catalog import Catalog
from bsync_assets.transport import places
from bsync_assets.warehouse.lake import attach, fetch_all
from bsync_assets.workspace import open_catalog

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NAME = "ftp_dpm_1001_1767614400.sync"
LINE = b"user1\t1\n"


class Workspace:
    """Two partners, a lake, and settings that a test changes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        partners = [{"name": "acme", "id": 7}, {"name": "globex", "id": 8}]
        sources = [{"id": 1001, "owner": "acme"}, {"id": 2001, "owner": "globex"}]
        write_workspace(home, {"partners": partners, "data_sources": sources}, date(2026, 1, 1))
        self.con = duckdb.connect()
        attach(self.con, home)

    def configure(self, partners: dict[str, dict[str, Any]] | None = None, **settings: Any) -> None:
        file = self.home / "bsync.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | settings))
        file = self.home / "catalog/partners.yaml"
        declared = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump([partner | (partners or {}).get(partner["name"], {}) for partner in declared]))

    @property
    def catalog(self) -> Catalog:
        return open_catalog(self.home)

    def take(self, day: date = DAY) -> dict[str, dict[str, int]]:
        return take_stock(self.con, self.catalog, day, ["acme", "globex"])

    def rows(self, columns: str = "key, status, reject_reason, batch") -> list[tuple[Any, ...]]:
        found = fetch_all(self.con, f"SELECT {columns} FROM lake.main.inbound_files ORDER BY day, partner, batch, key")
        return [tuple(row.values()) for row in found]

    def drop(self, name: str, content: bytes = LINE, partner: str = "acme", arrived: datetime = NOON) -> Path:
        return write_inbound(self.home, partner, DAY, name, content, arrived)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path / "home")
    yield made
    made.con.close()


def test_INB_29_a_file_is_taken_in_once_and_new_content_is_a_new_delivery(workspace: Workspace) -> None:
    workspace.drop(NAME)
    assert workspace.take()["acme"] == {"accepted": 1, "refused": 0, "duplicate": 0, "waiting": 0, "unreachable": 0}
    assert workspace.take()["acme"]["accepted"] == 1
    key = f"acme/date=2026-01-05/{NAME}"
    assert workspace.rows() == [(key, "accepted", None, 1)]
    workspace.drop(NAME, arrived=NOON + timedelta(hours=1))
    workspace.take()
    workspace.drop(NAME, LINE * 2, arrived=NOON + timedelta(hours=2))
    workspace.take()
    assert workspace.rows() == [(key, "accepted", None, 1), (key, "duplicate", None, 2), (key, "accepted", None, 3)]
    for sha256, size in workspace.rows("sha256, size_bytes"):
        assert (kept_files(workspace.home) / sha256).stat().st_size == size


def test_PRV_043_a_day_whose_copies_have_ended_says_so(workspace: Workspace) -> None:
    workspace.drop(NAME)
    workspace.take()
    (row,) = fetch_all(workspace.con, "SELECT 0 AS file, * FROM lake.main.inbound_files")
    to_read(workspace.catalog, row)
    (kept_files(workspace.home) / row["sha256"]).unlink()
    with pytest.raises(CopyGoneError, match=NAME):
        to_read(workspace.catalog, row)


def test_INB_162_only_files_that_are_let_in_are_kept(workspace: Workspace) -> None:
    workspace.drop("report.csv", b"secret of mine")
    workspace.drop("ftp_dpm_2001_1767614400.sync", b"foreign data source")
    workspace.drop("ftp_dpm_1001_1767614401.sync.gz", gzip.compress(LINE)[:-1])
    workspace.drop(NAME)
    workspace.take()
    assert sorted(workspace.rows("status, reject_reason")) == [
        ("accepted", None), ("refused", "bad_gzip"), ("refused", "source_not_authorized"), ("refused", "unknown_prefix"),
    ]  # fmt: skip
    assert len(list(kept_files(workspace.home).iterdir())) == 1
    workspace.take()
    assert len(workspace.rows()) == 4


def test_INB_02_S3_by_day_prefix_and_per_partner(workspace: Workspace, s3: S3Server) -> None:
    name = f"bucket-{time.monotonic_ns()}"
    workspace.configure(inbox=s3.url(name), partners={"globex": {"inbox": s3.url(f"{name}-own")}})
    keys = [
        f"{name}/acme/date=2026-01-05/{NAME}",
        f"{name}/acme/date=2026-01-06/{NAME}",
        f"{name}/globex/date=2026-01-05/ftp_dpm_2001_1767614400.sync",  # the shared inbox is not globex's
        f"{name}-own/globex/date=2026-01-05/ftp_dpm_2001_1767614401.sync",
        f"{name}-own/date=2026-01-05/ftp_dpm_2001_1767614402.sync",
    ]
    for key in keys:
        s3.client.put_object(Bucket="drops", Key=key, Body=LINE)
    workspace.take()
    assert workspace.rows() == [
        (f"acme/date=2026-01-05/{NAME}", "accepted", None, 1),
        ("globex/date=2026-01-05/ftp_dpm_2001_1767614401.sync", "accepted", None, 1),
        ("globex/date=2026-01-05/ftp_dpm_2001_1767614402.sync", "accepted", None, 1),
    ]


def test_INB_05_SFTP_has_no_day_folders_and_files_are_renamed(workspace: Workspace, sftp: SftpServer) -> None:
    workspace.configure(inbox=sftp.url("drop"))
    folder = sftp.root / "drop/acme"
    folder.mkdir(parents=True)
    today = datetime.now(UTC).date()
    names = [NAME, "ftp_dpm_1001_1767614401.overwrite.1.gz", "ftp_dpm_1001_1767614401.overwrite.2.gz", "nonsense", "half.part"]
    for name in names:
        (folder / name).write_bytes(gzip.compress(LINE) if name.endswith(".gz") else LINE)
    (folder / "test").mkdir()
    (folder / "test" / NAME).write_bytes(LINE)
    old = datetime.now(UTC) - timedelta(days=3)
    (folder / "ftp_dpm_1001_1767614409.sync").write_bytes(LINE)
    os.utime(folder / "ftp_dpm_1001_1767614409.sync", (old.timestamp(), old.timestamp()))
    counts = workspace.take(today)
    assert counts["acme"] == {"accepted": 3, "refused": 1, "duplicate": 0, "waiting": 0, "unreachable": 0}
    assert counts["globex"]["unreachable"] == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "ftp_dpm_1001_1767614400.processed", "ftp_dpm_1001_1767614401.processed.1.gz",
        "ftp_dpm_1001_1767614401.processed.2.gz", "ftp_dpm_1001_1767614409.sync", "half.part", "nonsense.processed", "test",
    ]  # fmt: skip
    assert next(row[0] for row in workspace.rows("key")) == f"acme/date={today}/{NAME}"
    workspace.take(today)
    assert len(workspace.rows()) == 4
    workspace.take(old.date())
    assert (folder / "ftp_dpm_1001_1767614409.processed").exists()


def test_INB_05_a_file_that_could_not_be_renamed_is_not_taken_in_twice(
    workspace: Workspace, sftp: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.configure(inbox=sftp.url("drop"))
    (sftp.root / "drop/acme").mkdir(parents=True)
    (sftp.root / "drop/acme" / NAME).write_bytes(LINE)
    today = datetime.now(UTC).date()
    with monkeypatch.context() as crash:
        crash.setattr(inbound_files, "_mark_processed", lambda *arguments: None)
        workspace.take(today)
    workspace.take(today)
    assert [row[1] for row in workspace.rows()] == ["accepted"]
    assert [path.name for path in (sftp.root / "drop/acme").iterdir()] == ["ftp_dpm_1001_1767614400.processed"]


def test_a_place_that_is_down_stops_nobody_else_and_loses_nothing(
    workspace: Workspace, sftp: SftpServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PAUSE_SECONDS", 0.01)
    workspace.drop(NAME)
    down = f"s3://drops/x?endpoint=http://127.0.0.1:{free_port()}"
    workspace.configure(partners={"globex": {"inbox": down}})
    counts = workspace.take()
    assert counts["acme"]["accepted"] == 1
    assert counts["globex"] == {"accepted": 0, "refused": 0, "duplicate": 0, "waiting": 0, "unreachable": 1}
    workspace.configure(partners={"globex": {"inbox": s3.url("back")}})
    s3.client.put_object(Bucket="drops", Key="back/globex/date=2026-01-05/ftp_dpm_2001_1767614400.sync", Body=LINE)
    assert workspace.take()["globex"]["accepted"] == 1
    workspace.configure(partners={"globex": {"inbox": down}})
    assert workspace.take()["globex"] == {"accepted": 1, "refused": 0, "duplicate": 0, "waiting": 0, "unreachable": 1}


@pytest.mark.parametrize("kind", ["folder", "sftp"])
def test_a_file_that_is_still_being_written_waits(
    workspace: Workspace, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_files, "SETTLE_SECONDS", 1.2)
    today = datetime.now(UTC).date()
    folder = workspace.home / f"inbox/acme/date={today}"
    if kind == "sftp":
        server: SftpServer = request.getfixturevalue("sftp")
        workspace.configure(inbox=server.url())
        folder = server.root / "acme"
    folder.mkdir(parents=True)
    (folder / "ftp_dpm_1001_1767614401.sync").write_bytes(LINE)
    done = threading.Event()

    def write_slowly() -> None:
        with open(folder / NAME, "wb") as file:
            while not done.wait(0.1):
                file.write(LINE)
                file.flush()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    time.sleep(0.3)
    try:
        counts = workspace.take(today)["acme"]
    finally:
        done.set()
        writer.join()
    assert (counts["accepted"], counts["waiting"]) == (1, 1)
    assert workspace.take(today)["acme"]["accepted"] == 2
    assert max(size for (size,) in workspace.rows("size_bytes")) > len(LINE)


def test_the_number_of_files_is_limited_without_reading_the_rest(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.configure(limits={"files_per_day": 2})
    for second in range(4):
        workspace.drop(f"ftp_dpm_1001_176761440{second}.sync", LINE * (second + 1), arrived=NOON + timedelta(minutes=second))
    workspace.drop("ftp_dpm_2001_1767614400.sync", partner="globex")
    workspace.take()
    assert [row[1:3] for row in workspace.rows()] == [
        ("accepted", None), ("accepted", None), ("refused", "too_many_files"), ("refused", "too_many_files"), ("accepted", None),
    ]  # fmt: skip
    workspace.take()
    assert len(workspace.rows()) == 5


def test_temporary_space_is_cleared_when_a_run_was_killed(workspace: Workspace) -> None:
    kept_files(workspace.home).mkdir(parents=True)
    (kept_files(workspace.home) / ".draft-99").write_bytes(bytes(1000))
    workspace.take()
    assert list(kept_files(workspace.home).iterdir()) == []


def test_a_file_that_may_not_be_read_waits_and_stops_nobody(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.drop(NAME)
    workspace.drop("ftp_dpm_2001_1767614400.sync", partner="globex")
    opened = os.open

    def refuse(path: Any, *arguments: Any, **named: Any) -> int:
        if path == NAME:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, who may read everything
    counts = workspace.take()
    assert counts["acme"] == {"accepted": 0, "refused": 0, "duplicate": 0, "waiting": 1, "unreachable": 0}
    assert counts["globex"]["accepted"] == 1


def test_links_to_another_partners_files_are_not_followed(workspace: Workspace) -> None:
    workspace.drop("ftp_dpm_2001_1767614400.sync", partner="globex")
    folder = workspace.home / "inbox/acme"
    folder.mkdir()
    (folder / "date=2026-01-05").symlink_to(workspace.home / "inbox/globex/date=2026-01-05")
    assert workspace.take()["acme"] == {"accepted": 0, "refused": 0, "duplicate": 0, "waiting": 0, "unreachable": 0}
