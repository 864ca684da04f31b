"""Mistakes an operator can make: file, line and field are named, and what was expected is said.

One at a time they are data, in `mistakes.yaml`. Each case gives exactly one: what merely follows from
a mistake is not reported.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bsync_assets.catalog import CatalogError, Mistake
from bsync_assets.workspace import open_catalog

SOUND = {
    "bsync.yaml": "account: {name: Demo, pid: 1234, start: 2026-01-01}\n",
    "catalog/data_sources.yaml": "- {id: 1001}\n- {id: 1002, type: cross_device}\n",
    "catalog/traits.yaml": "- {id: 30, data_source: 1001, rule: 'ic == 52'}\n",
    "catalog/segments.yaml": "- {id: 900, rule: 30T}\n",
}


CASES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text())


def write(home: Path, files: dict[str, str]) -> Path:
    (home / "catalog").mkdir()
    for name, text in files.items():
        (home / name).write_text(text)
    return home


def mistakes(home: Path) -> list[Mistake]:
    with pytest.raises(CatalogError) as caught:
        open_catalog(home)
    return caught.value.mistakes


def test_sound_workspace(tmp_path: Path) -> None:
    assert open_catalog(write(tmp_path, SOUND)).segments[900].rule == "30T"


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_one_mistake(tmp_path: Path, case: dict[str, str]) -> None:
    (mistake,) = mistakes(write(tmp_path, SOUND | {case["file"]: case["text"]}))

    if case["expect"].endswith("..."):
        assert str(mistake).startswith(case["expect"].removesuffix("..."))
    else:
        assert str(mistake) == case["expect"]


def test_TRT_010_name_is_shown_shortened(tmp_path: Path) -> None:
    traits = f"- {{id: 30, data_source: 1001, name: {'x' * 256}}}\n"

    (mistake,) = mistakes(write(tmp_path, SOUND | {"catalog/traits.yaml": traits}))

    assert mistake.problem == f"expected at most 255 characters, got '{'x' * 57}...'"


def test_TRT_012_the_first_item_past_a_limit_is_named(tmp_path: Path) -> None:
    models = [f"- {{id: {trait}, data_source: 1001, kind: algorithmic}}\n" for trait in range(100, 151)]
    traits = SOUND["catalog/traits.yaml"] + "".join(models)

    (mistake,) = mistakes(write(tmp_path, SOUND | {"catalog/traits.yaml": traits}))

    assert (mistake.line, mistake.field) == (52, "traits[51]")
    assert mistake.problem == "expected at most 50 algorithmic traits (TRT-012), got 51"


def test_all_mistakes_as_text(tmp_path: Path) -> None:
    partners = "# ours\n- {name: acme, id: 7}\n- id: 8\n  nmae: globex\n  name: globex\n"
    traits = "- {id: 30, data_source: 1001}\n- {id: 31, data_source: 1001, rule: 'ic = = 5'}\n"
    write(tmp_path, SOUND | {"catalog/partners.yaml": partners, "catalog/traits.yaml": traits})
    (tmp_path / "catalog/segments.yaml").write_text("[")

    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path)

    first, second, third = str(caught.value).splitlines()
    assert first == "catalog/partners.yaml:4: partners[1].nmae: unknown field, did you mean 'name'?"
    assert second == "catalog/traits.yaml:2: traits[1].rule: E_SYNTAX at column 6 in 'ic = = 5'"
    assert third.startswith("catalog/segments.yaml:")
    assert ": not valid YAML: " in third


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    """Also several in one item, and those of a rule next to those of its trait."""
    found = mistakes(
        write(
            tmp_path,
            {
                "bsync.yaml": "account: {name: Demo}\nlate_days: soon\n",
                "catalog/partners.yaml": "- {name: acme, id: 7, acces: []}\n- {name: acme, id: seven}\n",
                "catalog/data_sources.yaml": "- {id: 1001}\n- {id: 1002, owner: ajax, case: odd}\n",
                "catalog/traits.yaml": "- {id: 30, data_source: 1007, ttl_days: -1, rule: '=', x: 1}\n",
                "catalog/segments.yaml": "- {id: 9, rule: 30T, merge_sources: [1001]}\n- {id: 8, rule: 3T}\n",
                "catalog/destinations.yaml": "- {id: 1, segments: [{id: 9, value: ''}, {id: 7}]}\n",
            },
        )
    )

    assert [(mistake.file.removeprefix("catalog/"), mistake.line, mistake.field) for mistake in found] == [
        ("bsync.yaml", 1, "account.pid"),
        ("bsync.yaml", 1, "account.start"),
        ("bsync.yaml", 2, "late_days"),
        ("partners.yaml", 1, "partners[0].acces"),
        ("partners.yaml", 2, "partners[1].id"),
        ("partners.yaml", 2, "partners[1].name"),
        ("data_sources.yaml", 2, "data_sources[1].case"),
        ("data_sources.yaml", 2, "data_sources[1].owner"),
        ("traits.yaml", 1, "traits[0].data_source"),
        ("traits.yaml", 1, "traits[0].rule"),
        ("traits.yaml", 1, "traits[0].ttl_days"),
        ("traits.yaml", 1, "traits[0].x"),
        ("segments.yaml", 1, "segments[0].merge_sources[0]"),
        ("segments.yaml", 2, "segments[1].rule"),
        ("destinations.yaml", 1, "destinations[0].dpid"),
        ("destinations.yaml", 1, "destinations[0].segments[0].value"),
        ("destinations.yaml", 1, "destinations[0].segments[1].id"),
    ]


@pytest.mark.parametrize("file", ["data_sources", "traits", "segments"])
def test_unreadable_file_makes_no_dangling_references(tmp_path: Path, file: str) -> None:
    destinations = {"catalog/destinations.yaml": "- {id: 1, dpid: 8, segments: [{id: 900}]}\n"}
    write(tmp_path, SOUND | destinations | {f"catalog/{file}.yaml": "- {id: 1"})

    (mistake,) = mistakes(tmp_path)

    assert mistake.file == f"catalog/{file}.yaml"


def test_mistake_in_an_item_does_not_spread_to_those_that_name_it(tmp_path: Path) -> None:
    sources = "- {id: 1001, tpe: cookie}\n- {id: 1002, type: crossdevice}\n"
    traits = "- {id: 30, data_source: 1001, kind: rules}\n"
    segments = "- {id: 900, rule: 'FREQUENCY([30T]) >= 1', merge_rule: profile_link, merge_sources: [1002]}\n"
    files = {
        "catalog/data_sources.yaml": sources,
        "catalog/traits.yaml": traits,
        "catalog/segments.yaml": segments,
    }

    found = mistakes(write(tmp_path, SOUND | files))

    fields = [mistake.field for mistake in found]
    assert fields == ["data_sources[0].tpe", "data_sources[1].type", "traits[0].kind"]


def test_SEG_029_deleted_segment_may_name_traits_that_are_gone(tmp_path: Path) -> None:
    gone = "- {id: 900, rule: 31T, status: deleted}\n"
    assert open_catalog(write(tmp_path, SOUND | {"catalog/segments.yaml": gone})).segments[900].rule == "31T"


def test_SEG_035_trait_of_a_partner(tmp_path: Path) -> None:
    files = {
        "catalog/partners.yaml": "- {name: acme, id: 7}\n",
        "catalog/data_sources.yaml": "- {id: 1001, owner: acme}\n",
        "catalog/traits.yaml": "- {id: 30, data_source: 1001, kind: rule, rule: a == 1}\n",
        "catalog/segments.yaml": "- {id: 900, rule: 'FREQUENCY([30T]) >= 1'}\n",
    }

    (mistake,) = mistakes(write(tmp_path, SOUND | files))

    assert "E_THIRD_PARTY" in mistake.problem


def test_no_settings(tmp_path: Path) -> None:
    write(tmp_path, {"catalog/traits.yaml": "- {id: x, data_source: 1001}\n"})

    settings, data_source, trait_id = mistakes(tmp_path)

    assert str(settings).startswith(f"bsync.yaml:1: not found in {tmp_path}, a workspace needs it")
    assert (trait_id.field, data_source.field) == ("traits[0].id", "traits[0].data_source")


def test_not_utf8(tmp_path: Path) -> None:
    write(tmp_path, SOUND)
    (tmp_path / "catalog/partners.yaml").write_bytes(b"- id: 7\n  name: acm\xe9\n")

    (mistake,) = mistakes(tmp_path)

    assert str(mistake) == "catalog/partners.yaml:2: expected UTF-8 text"


def test_not_a_file(tmp_path: Path) -> None:
    write(tmp_path, SOUND)
    (tmp_path / "catalog/partners.yaml").mkdir()

    (mistake,) = mistakes(tmp_path)

    assert str(mistake) == "catalog/partners.yaml:1: cannot be read: Is a directory"
