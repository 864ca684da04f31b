"""Signals that no rule used: counted exactly, and told which rule nearly used them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from workspaces import write_inbound, write_workspace

from bsync_assets.assets import slices
from bsync_assets.assets.inbound_files import take_stock
from bsync_assets.assets.matched_traits import match_records
from bsync_assets.warehouse.lake import attach, fetch_all
from bsync_assets.workspace import open_catalog

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 7}, {"name": "globex", "id": 8, "access": [1001]}],
    "data_sources": [
        {"id": 1001, "owner": "acme", "type": "cross_device"},
        {"id": 1002, "owner": "acme", "type": "cookie", "case": "sensitive"},
        {"id": 2001, "owner": "globex", "type": "cross_device"},
    ],
    "traits": [
        {"id": 1, "data_source": 1001, "rule": 'dept == "camping"'},
        {"id": 2, "data_source": 1001, "rule": 'hobby == "long walk" AND age > 3'},
        {"id": 3, "data_source": 1001, "rule": 'color == "red"'},
        {"id": 4, "data_source": 1002, "rule": 'Color == "Red"'},
    ],
}


def lines(count: int, items: str, first: int = 0) -> list[str]:
    return [f"user-{number}\t{items}" for number in range(first, first + count)]


FILES = {
    ("acme", "ftp_dpm_1001_1767610001.sync"): [
        *lines(150, "department=camping,dept=Camping gear,zip=80331,p_mail=x,d_page=1,24"),
        *lines(99, "zip=10115"),
        *lines(120, "hobby=longwalk,dept=camping,note="),
        *lines(30, " zip = 10115 ", first=50),
        *lines(40, 'zip=10115,plan="gold'),  # not well formed: its signals do not count
        *lines(101, "colour=red"),
    ],
    ("acme", "ftp_dpm_1001_1767610002.overwrite"): lines(60, "zip=80331"),
    ("acme", "ftp_dpm_1002_1767610003.sync"): lines(110, "color=red,dept=camping"),
    ("globex", "ftp_dpm_2001_1001_1767610004.sync"): lines(100, "zip=80331,hobby=sailing"),
}
#: (partner, target, key, value): how often, nearly used by, what differs, matched users
EXPECTED = {
    ("acme", 1001, "department", "camping"): (150, None, None, None),
    ("acme", 1001, "dept", "Camping gear"): (150, 1, "operator", 150),
    ("acme", 1001, "zip", "80331"): (210, None, None, None),
    ("acme", 1001, "ic", "24"): (150, None, None, None),
    ("acme", 1001, "zip", "10115"): (129, None, None, None),
    ("acme", 1001, "hobby", "longwalk"): (120, 2, "value", 120),
    ("acme", 1001, "note", "1"): (120, None, None, None),
    ("acme", 1001, "colour", "red"): (101, 3, "key", 101),
    ("acme", 1002, "color", "red"): (110, 4, "case", 0),
    ("acme", 1002, "dept", "camping"): (110, None, None, None),
    ("globex", 1001, "zip", "80331"): (100, None, None, None),
    ("globex", 1001, "hobby", "sailing"): (100, None, None, None),
}


@pytest.mark.parametrize("slice_bytes", [slices.SLICE_BYTES, 4_000], ids=["one slice", "many slices"])
def test_inb_147_inb_059_inb_085(tmp_path: Path, slice_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workspace(tmp_path / "w", CATALOG, DAY)
    for (partner, name), content in FILES.items():
        write_inbound(tmp_path / "w", partner, DAY, name, ("\n".join(content) + "\n").encode(), NOON)
    monkeypatch.setattr(slices.read_slices, "__defaults__", (slice_bytes,))
    catalog = open_catalog(tmp_path / "w")
    with duckdb.connect() as con:
        attach(con, tmp_path / "w")
        take_stock(con, catalog, DAY, list(catalog.partners))
        match_records(con, catalog, DAY, list(catalog.partners))
        found = {
            (row["partner"], row["target"], row["key"], row["value"]): (row["hits"], row["trait_id"], row["change"], row["users"])
            for row in fetch_all(con, "SELECT * FROM lake.main.unused_signals")
        }
        if slice_bytes == slices.SLICE_BYTES:
            assert found == EXPECTED
        else:  # what is seen less than ten times in a slice may be lost there
            assert found.keys() <= EXPECTED.keys()
            assert all(found[key][0] <= EXPECTED[key][0] and found[key][1:3] == EXPECTED[key][1:3] for key in found)
            assert ("acme", 1001, "zip", "80331") in found
        match_records(con, catalog, DAY, ["globex"])
        again = fetch_all(con, "SELECT count(*) AS rows FROM lake.main.unused_signals")
    assert again == [{"rows": len(found)}]


def test_inb_129_unused_signals_of_stored_records(tmp_path: Path) -> None:
    write_workspace(tmp_path / "w", CATALOG, DAY)
    content = "a\tdept=camping,zip=1,zip=2\nb\tzip=3\nc\tdept=camping\nd\tdept=camping,x\n"
    write_inbound(tmp_path / "w", "acme", DAY, "ftp_dpm_1001_1767610001.sync", content.encode(), NOON)
    catalog = open_catalog(tmp_path / "w")
    with duckdb.connect() as con:
        attach(con, tmp_path / "w")
        take_stock(con, catalog, DAY, ["acme"])
        match_records(con, catalog, DAY, ["acme"])
        (row,) = fetch_all(con, "FROM lake.main.data_figures")
    assert (row["total_signals"], row["total_unused_signals"], row["stored_unused_signals"]) == (7, 4, 3)
