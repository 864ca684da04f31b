"""What a sound workspace becomes: every field, defaults, the hash; and where the workspace lies."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from bsync_assets.catalog import (
    SHARED_NAMESPACES,
    Account,
    Catalog,
    CatalogError,
    DataSource,
    Destination,
    MailSettings,
    Mapping,
    Partner,
    Segment,
    Settings,
    Sync,
    Trait,
    load_catalog,
    workspace_home,
)
from bsync_assets.exchange.namespaces import DEVICE_DPIDS
from bsync_assets.workspace import open_catalog

BSYNC = """
account: {name: Demo, pid: 1234, start: 2026-01-01}    # start = first daily partition
inbox: inbox
outbox: outbox
mail: {transport: maildir, path: mail, from: bsync@example.com, ops: [ops@example.com]}
"""
PARTNERS = """
- {name: acme, id: 7, contacts: [data@acme.example], access: [1007],
   sync: {url: 'https://acme.example/m?u=${DD_UUID}', redirect_hosts: [acme.example], vendor_id: 12}}
"""
DATA_SOURCES = """
- {id: 1001, name: Acme CRM, owner: acme, type: cookie, key: customer, label: hashed_email, case: insensitive,
   keep_unmatched_days: 30, controls: [offsite_ads]}
- {id: 1002, type: cross_device}
- {id: 1007}
"""
TRAITS = """
- {id: 30, name: Tablet, data_source: 1001, kind: onboarded, rule: 'ic == "52"', ttl_days: 120}
- {id: 31, data_source: 1001}
- {id: 32, data_source: 1007, kind: folder, contains: [30, 31]}
"""
SEGMENTS = """
- {id: 900, name: X, data_source: 1001, rule: '30T AND NOT 31T', status: active, merge_rule: device,
   merge_sources: [1002]}
"""
DESTINATIONS = """
- {id: 1234, name: dsp, method: s3, dpid: 888, master_dpid: 20914, pid_alias: XYZ, labels: [],
   segments: [{id: 900, value: "900", start: 2026-01-01}], to: outbox/dsp, file_name: 'x',
   header: '', content: 'y', split_bytes: 1000000000}
"""
FILES = {
    "bsync.yaml": BSYNC,
    "catalog/partners.yaml": PARTNERS,
    "catalog/data_sources.yaml": DATA_SOURCES,
    "catalog/traits.yaml": TRAITS,
    "catalog/segments.yaml": SEGMENTS,
    "catalog/destinations.yaml": DESTINATIONS,
}


def load(home: Path, **changed: str) -> Catalog:
    """The catalog of a workspace with the files above; `changed` has other text for some, by bare name."""
    for file, text in FILES.items():
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, text))
    return open_catalog(home)


def test_every_field_loads(tmp_path: Path) -> None:
    catalog = load(tmp_path)

    assert catalog.home == tmp_path
    assert catalog.settings == Settings(
        account=Account(name="Demo", pid=1234, start=date(2026, 1, 1)),
        mail=MailSettings(sender="bsync@example.com", ops=("ops@example.com",)),
    )
    assert catalog.partners == {
        "acme": Partner(
            name="acme",
            id=7,
            contacts=("data@acme.example",),
            access=(1007,),
            sync=Sync(url="https://acme.example/m?u=${DD_UUID}", redirect_hosts=("acme.example",), vendor_id=12),
        )
    }
    assert catalog.data_sources[1001] == DataSource(
        id=1001, name="Acme CRM", owner="acme", label="hashed_email", controls=("offsite_ads",)
    )
    assert catalog.traits[30] == Trait(id=30, name="Tablet", data_source=1001, rule='ic == "52"')
    assert catalog.traits[32].contains == (30, 31)
    assert catalog.segments[900] == Segment(id=900, name="X", data_source=1001, rule="30T AND NOT 31T", merge_sources=(1002,))
    assert catalog.destinations[1234] == Destination(
        id=1234,
        name="dsp",
        dpid=888,
        master_dpid=20914,
        pid_alias="XYZ",
        segments=(Mapping(id=900, value="900", start=date(2026, 1, 1)),),
        to="outbox/dsp",
        file_name="x",
        header="",
        content="y",
        split_bytes=1_000_000_000,
    )


def test_defaults(tmp_path: Path) -> None:
    (tmp_path / "bsync.yaml").write_text("account: {name: Demo, pid: 1, start: 2026-01-01}\noutbox: out/\n")
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog/data_sources.yaml").write_text("- id: 1001\n")
    (tmp_path / "catalog/traits.yaml").write_text("- {id: 30, data_source: 1001}\n")
    (tmp_path / "catalog/segments.yaml").write_text("- {id: 900, data_source: 1001, rule: 30T}\n")
    (tmp_path / "catalog/destinations.yaml").write_text("- {id: 5, dpid: 888, segments: [{id: 900}]}\n")

    catalog = open_catalog(tmp_path)

    assert catalog.settings.model_dump(exclude={"account"}) == {
        "inbox": "inbox",
        "outbox": "out/",
        "late_days": 7,
        "serve": {"vendor_id": 565, "denied_ids": ()},
        "mail": {
            "transport": "maildir",
            "path": "mail",
            "host": "127.0.0.1",
            "port": 25,
            "starttls": False,
            "user": None,
            "password_env": None,
            "timeout_seconds": 10.0,
            "sender": "bsync@localhost",
            "ops": (),
        },
        "pgp": {
            "key_file": "keys/platform.asc",
            "key_env": "BSYNC_PGP_KEY",
            "passphrase_env": "BSYNC_PGP_PASSPHRASE",
        },
        "limits": {
            "packed_bytes": 3 << 30,
            "plain_bytes": 5 << 30,
            "expanded_bytes": 20 << 30,
            "expanded_ratio": 250,
            "files_per_day": 50_000,
            "seconds_per_file": 3600.0,
        },
        "retention": {
            "inbound_files_days": 30,
            "outbound_files_days": 8,
            "raw_rows_days": 60,
            "figures_days": 390,
            "event_log_days": 90,
        },
    }
    assert catalog.partners == {}
    assert catalog.data_sources[1001].model_dump() == {
        "id": 1001,
        "name": "",
        "owner": None,
        "type": "cookie",
        "key": "customer",
        "label": None,
        "integration_code": None,
        "case": "insensitive",
        "keep_unmatched_days": 30,
        "controls": (),
        "hold_removals_over": 0.5,
    }
    assert catalog.traits[30].model_dump() == {
        "id": 30,
        "name": "",
        "data_source": 1001,
        "kind": "onboarded",
        "rule": None,
        "ttl_days": 120,
        "contains": (),
    }
    assert catalog.segments[900].model_dump() == {
        "id": 900,
        "name": "",
        "data_source": 1001,
        "rule": "30T",
        "status": "active",
        "merge_rule": "device",
        "merge_sources": (),
        "merge_controls": (),
        "integration_code": None,
        "legacy_id": None,
    }
    assert catalog.destinations[5].model_dump() == {
        "id": 5,
        "name": "",
        "method": "s3",
        "dpid": 888,
        "master_dpid": 0,
        "pid_alias": None,
        "labels": (),
        "segments": ({"id": 900, "value": None, "start": None, "end": None},),
        "to": "out/5",
        "file_name": None,
        "header": None,
        "content": None,
        "split_bytes": 1_000_000_000_000,
        "gzip": False,
        "full_on": (),
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "[]\n"])
def test_empty_file_is_an_empty_list(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, destinations=text).destinations == {}


def test_missing_folder_is_an_empty_catalog(tmp_path: Path) -> None:
    (tmp_path / "bsync.yaml").write_text(BSYNC)
    assert open_catalog(tmp_path).traits == {}


def test_aliases_and_byte_order_mark(tmp_path: Path) -> None:
    partners = "\ufeff- {name: acme, id: 7, contacts: &ours [a@b.example]}\n- {name: ajax, id: 8, contacts: *ours}\n"
    assert load(tmp_path, partners=partners).partners["ajax"].contacts == ("a@b.example",)


def test_frozen(tmp_path: Path) -> None:
    catalog = load(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        catalog.traits[30].ttl_days = 1
    with pytest.raises(AttributeError):
        catalog.home = Path()  # type: ignore[misc]


def test_IDS_13_shared_namespaces_are_those_of_the_exchange() -> None:
    assert set(DEVICE_DPIDS) == SHARED_NAMESPACES


def test_workspace_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSYNC_HOME", str(tmp_path / "a" / ".." / "b"))
    assert workspace_home() == tmp_path / "b"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BSYNC_HOME", "here")
    assert workspace_home() == tmp_path / "here"
    monkeypatch.setenv("BSYNC_HOME", "")
    assert workspace_home() == Path(__file__).resolve().parents[2] / "data"
    monkeypatch.delenv("BSYNC_HOME")
    assert workspace_home() == Path(__file__).resolve().parents[2] / "data"


# --- The hash


def test_hash_ignores_what_has_no_meaning(tmp_path: Path) -> None:
    """Order of keys and items, comments, style, defaults written out, and where the workspace lies."""
    first = load(tmp_path / "a")
    traits = """
    # the same, said differently
    - kind: folder
      contains:
        - 30
        - 31
      data_source: 1007
      id: 32
    - {ttl_days: 120, data_source: 1001, id: 31, kind: onboarded, name: "", rule: null, contains: []}
    - rule: ic == "52"
      data_source: 1001
      id: 30
      name: 'Tablet'
    """
    second = load(tmp_path / "b", traits=traits, bsync=BSYNC + "late_days: 7\n")

    assert second.content_hash == first.content_hash
    assert second.content_json == first.content_json
    assert len(first.content_hash) == 64


CHANGES = [
    ("bsync", "pid: 1234", "pid: 1235"),
    ("bsync", "start: 2026-01-01", "start: 2026-01-02"),
    ("bsync", "from: bsync@", "from: mail@"),
    ("partners", "id: 7", "id: 8"),
    ("partners", "vendor_id: 12", "vendor_id: 13"),
    ("partners", "access: [1007]", "access: []"),
    ("data_sources", "case: insensitive", "case: sensitive"),
    ("data_sources", "- {id: 1007}", "- {id: 1007}\n- {id: 1008}"),
    ("traits", '"52"', '"53"'),
    ("traits", "ttl_days: 120", "ttl_days: 0"),
    ("traits", "contains: [30, 31]", "contains: [30]"),
    ("segments", "NOT 31T", "31T"),
    ("segments", "status: active", "status: paused"),
    ("destinations", 'value: "900"', 'value: "901"'),
    ("destinations", "header: '', ", ""),
    ("destinations", "to: outbox/dsp, ", ""),
]


@pytest.mark.parametrize(("file", "old", "new"), CHANGES, ids=[f"{f}-{old}" for f, old, _ in CHANGES])
def test_hash_changes_with_the_meaning(tmp_path: Path, file: str, old: str, new: str) -> None:
    text = FILES[f"catalog/{file}.yaml" if file != "bsync" else "bsync.yaml"]
    assert old in text

    changed = load(tmp_path / "b", **{file: text.replace(old, new)})

    assert changed.content_hash != load(tmp_path / "a").content_hash


def test_content_json_has_everything_by_key(tmp_path: Path) -> None:
    content = json.loads(load(tmp_path).content_json)

    assert [trait["id"] for trait in content["traits"]] == [30, 31, 32]
    assert content["settings"]["account"] == {"name": "Demo", "pid": 1234, "start": "2026-01-01"}
    assert content["destinations"][0]["segments"][0]["start"] == "2026-01-01"


# --- Any value in any field is accepted or a mistake, never a crash

SCALARS: list[Any] = [None, True, 0, -1, 10**20, 1.5, "", "x", "a\nb", "current_auth", date(2026, 1, 1)]
VALUES = [*SCALARS, [], [None], [[]], {}, {"a": {}}]
ITEMS: list[tuple[str, type[BaseModel]]] = [
    ("partners", Partner),
    ("data_sources", DataSource),
    ("traits", Trait),
    ("segments", Segment),
    ("destinations", Destination),
]
FIELDS = [(section, field) for section, model in ITEMS for field in model.model_fields]


@pytest.mark.parametrize(("section", "field"), FIELDS)
def test_wrong_values_are_mistakes_never_crashes(tmp_path: Path, section: str, field: str) -> None:
    (tmp_path / "bsync.yaml").write_text(BSYNC)
    (tmp_path / "catalog").mkdir()

    refused = []
    for value in VALUES:
        text = yaml.safe_dump([{"id": 1, field: value}])
        (tmp_path / f"catalog/{section}.yaml").write_text(text)
        refused += _mistakes(tmp_path, f"{section}[0].{field}")

    assert refused


@pytest.mark.parametrize("field", list(MailSettings.model_fields))
def test_wrong_mail_settings_are_mistakes_never_crashes(tmp_path: Path, field: str) -> None:
    key = "from" if field == "sender" else field
    account = {"name": "Demo", "pid": 1, "start": date(2026, 1, 1)}

    refused = []
    for value in VALUES:
        text = yaml.safe_dump({"account": account, "mail": {key: value}})
        (tmp_path / "bsync.yaml").write_text(text)
        refused += _mistakes(tmp_path, f"mail.{key}")

    assert refused


def _mistakes(home: Path, field: str) -> list[str]:
    """What is said about one field, and about those inside it, when the workspace is loaded."""
    try:
        load_catalog(home)
    except CatalogError as error:
        return [mistake.problem for mistake in error.mistakes if mistake.field.startswith(field)]
    return []
