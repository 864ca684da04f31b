"""A workspace with a lake whose states a test writes itself, and what a partner can do with its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from transport.fixtures import address, s3, s3_service, sftp
from workspaces import write_workspace

from bsync_assets.assets.outbound_files import deliver_segments
from bsync_assets.catalog import Catalog, load_catalog
from bsync_assets.warehouse.lake import attach, commit_changes, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME, Column

__all__ = ["address", "s3", "s3_service", "sftp"]

START = date(2026, 1, 5)
NOON = datetime(2026, 1, 6, 14)


def uuid(number: int) -> str:
    return f"{number:038d}"


@dataclass
class Stage:
    """A workspace under `home`; `given` is its catalog as YAML would have it."""

    home: Path
    given: dict[str, list[dict[str, Any]]]
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        write_workspace(self.home, self.given, START)
        attach(self.con, self.home)

    @property
    def catalog(self) -> Catalog:
        return load_catalog(self.home)

    def set(self, table: str, day: date, rows: Sequence[Mapping[str, Any]], gone: Sequence[Mapping[str, Any]] = ()) -> None:
        """Add rows to a state on a day, and take others away."""
        change = (Column("change", "VARCHAR", ""), Column("reason", "VARCHAR", ""))
        changes = [{**row, "change": "added"} for row in rows] + [{**row, "change": "removed", "reason": "rule"} for row in gone]
        rows_table(self.con, "given_changes", (*BY_NAME[table].columns, *change), changes)
        with transaction(self.con):
            commit_changes(self.con, table, day, "given_changes")

    def members(self, day: date, added: Sequence[tuple[int, Any]], removed: Sequence[tuple[int, Any]] = ()) -> None:
        """(segment, platform ID by number or (dpid, id)) pairs that come and go on a day."""
        self.set("segment_members", day, [member(*pair) for pair in added], [member(*pair) for pair in removed])

    def link(self, day: date, links: Sequence[tuple[int, str, Any, int]]) -> None:
        """(dpid, id, device, seen at this minute of the day)."""
        rows = []
        for dpid, value, device, minute in links:
            device_dpid, device_id = device if isinstance(device, tuple) else (0, uuid(device))
            seen = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
            rows.append({"dpid": dpid, "id": value, "device_dpid": device_dpid, "device_id": device_id,
                         "first_seen": seen, "last_seen": seen, "seq": minute, "origin": "file"})  # fmt: skip
        self.set("id_links", day, rows)

    def deliver(self, day: date, destination: int = 1, *, now: datetime = NOON, **how: Any) -> dict[str, Any]:
        return deliver_segments(self.con, self.catalog, day, [destination], now=now, **how)[destination]

    def out(self, destination: int = 1) -> Path:
        return self.home / "outbox" / str(destination)

    def texts(self, destination: int = 1) -> list[str]:
        """Contents of the parts that lie with the partner, in order of their names."""
        return [path.read_text() for path in sorted(self.out(destination).glob("*.sync"), key=lambda path: path.name[-25:])]


def member(segment: int, who: Any) -> dict[str, Any]:
    dpid, value = who if isinstance(who, tuple) else (0, uuid(who))
    return {"segment_id": segment, "dpid": dpid, "id": value}


def catalog_of(**destination: Any) -> dict[str, list[dict[str, Any]]]:
    """Segments 10 to 14; partner namespace 888 (cookies), 500 (people); one destination, 1, unless told otherwise."""
    given = {"id": 1, "method": "ftp", "dpid": 888, "segments": [{"id": 10}, {"id": 11}], "to": "outbox/1", **destination}
    return {
        "partners": [{"name": "acme", "id": 7}],
        "data_sources": [
            {"id": 60, "name": "own"},
            {"id": 888, "name": "cookies", "owner": "acme"},
            {"id": 500, "name": "people", "owner": "acme", "type": "cross_device"},
        ],
        "traits": [{"id": 11, "data_source": 60}],
        "segments": [{"id": number, "data_source": 60, "rule": "11T"} for number in range(10, 15)],
        "destinations": [given],
    }


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Any]:
    made: list[Stage] = []

    def make(given: dict[str, list[dict[str, Any]]] | None = None, name: str = "w", **destination: Any) -> Stage:
        made.append(Stage(tmp_path / name, given or catalog_of(**destination)))
        return made[-1]

    yield make
    for one in made:
        one.con.close()
