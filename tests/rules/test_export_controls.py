"""OUT-020 to OUT-026: which segments are kept away from which destinations, by the vectors and when a catalog loads."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from workspaces import write_workspace

from bsync_assets.catalog import CatalogError, DataSource, Segment, Trait
from bsync_assets.rules.export_controls import blocks
from bsync_assets.workspace import mappings_file, open_catalog

FILE = Path(__file__).parents[1] / "vectors" / "export_controls.jsonl"
VECTORS = [json.loads(line) for line in FILE.read_text().splitlines()]


def _segment(given: dict[str, Any]) -> Segment:
    return Segment(
        id=1, data_source=given["data_source"], rule=given["rule"], merge_rule="profile_link",
        merge_sources=(given["merge_rule_source"],), merge_controls=tuple(given["merge_rule_controls"]),
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vectors(vector: dict[str, Any]) -> None:
    given = vector["input"]
    traits = {int(t): Trait(id=int(t), data_source=source) for t, source in given["trait_sources"].items()}
    used = {given["segment"]["data_source"], given["segment"]["merge_rule_source"], *given["trait_sources"].values()}
    sources = {dpid: DataSource(id=dpid, controls=tuple(given["controls"].get(str(dpid), ()))) for dpid in used}
    assert (not blocks(_segment(given["segment"]), given["labels"], traits, sources)) is vector["result"]


def test_out_023_a_folder_stands_for_all_below_it() -> None:
    traits = {
        1: Trait(id=1, data_source=60, kind="folder", contains=(2,)),
        2: Trait(id=2, data_source=61, kind="folder", contains=(3,)),
        3: Trait(id=3, data_source=62),
    }
    sources = {60: DataSource(id=60), 61: DataSource(id=61), 62: DataSource(id=62, controls=("pii",))}
    assert [tuple(b) for b in blocks(Segment(id=1, rule="1T"), ["pii"], traits, sources)] == [("pii", "62")]
    assert not blocks(Segment(id=1, rule="1T"), ["onsite_ads"], traits, sources)


def test_out_026_a_blocked_segment_cannot_be_mapped_but_one_in_force_stops_nothing(tmp_path: Path) -> None:
    given = {
        "data_sources": [{"id": 60, "controls": ["pii"]}],
        "traits": [{"id": 11, "data_source": 60}],
        "segments": [{"id": 10, "rule": "11T"}],
        "destinations": [{"id": 1, "dpid": 888, "labels": ["pii"], "segments": [{"id": 10}]}],
    }
    write_workspace(tmp_path / "w", given, date(2026, 1, 5))
    with pytest.raises(CatalogError) as refused:
        open_catalog(tmp_path / "w")
    (mistake,) = refused.value.mistakes
    assert mistake.field == "destinations[0].segments[0].id"
    assert "pii of data source 60" in mistake.problem
    mappings_file(tmp_path / "w").parent.mkdir(parents=True)
    mappings_file(tmp_path / "w").write_text("[[1, 10]]")
    assert open_catalog(tmp_path / "w").destinations[1].segments[0].id == 10


def test_out_045_templates_are_judged_when_the_catalog_loads(tmp_path: Path) -> None:
    given = {
        "destinations": [
            {"id": 1, "dpid": 888, "file_name": "<NOPE>.csv", "header": "<UUID>", "content": "<UUID"},
            {"id": 2, "dpid": 888, "file_name": "x.info"},
        ]
    }
    write_workspace(tmp_path / "w", given, date(2026, 1, 5))
    with pytest.raises(CatalogError) as refused:
        open_catalog(tmp_path / "w")
    assert [(m.field, m.problem.partition(" in ")[0]) for m in refused.value.mistakes] == [
        ("destinations[0].content", "E_SYNTAX at column 6"),
        ("destinations[0].file_name", "E_UNKNOWN_MACRO at column 2"),
        ("destinations[0].header", "E_MACRO_CONTEXT at column 2"),
        ("destinations[1].file_name", "'x.info' would be the name of the control file too (OUT-090)"),
    ]
