"""Building blocks of tests that need a workspace on disk: settings, catalog, inbound files, state to import.

No rule and no expected figure stands here; those belong to the tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

CATALOG_FILES = ("partners", "data_sources", "traits", "segments", "destinations")
INACTIVE_AFTER = timedelta(days=120)


def write_workspace(home: Path, catalog: Mapping[str, list[dict[str, Any]]], start: date) -> None:
    """Write `bsync.yaml` and `catalog/*.yaml`; a catalog file not given is empty. `start` = first day."""
    settings = {
        "account": {"name": "Demo", "pid": 1234, "start": start},
        "mail": {
            "transport": "maildir",
            "path": "mail",
            "from": "bsync@example.com",
            "ops": ["ops@example.com"],
        },
    }
    (home / "catalog").mkdir(parents=True)
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings))
    for name in CATALOG_FILES:
        (home / "catalog" / f"{name}.yaml").write_text(yaml.safe_dump(catalog.get(name, [])))


def write_inbound(home: Path, partner: str, day: date, name: str, content: bytes, arrived: datetime) -> Path:
    """Put a file into the partner's folder of `day`; `arrived` becomes its modification time."""
    path = home / "inbox" / partner / f"date={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (arrived.timestamp(), arrived.timestamp()))
    return path


def write_import(path: Path, before: Mapping[str, Any], devices: Iterable[str], day: date) -> Path:
    """Write the state before `day` as a file for `bsync import`.

    IDs are texts `dpid:id`. `before` may hold mappings and emails (pairs, oldest first), profiles (traits by
    ID), opted_out and inactive (IDs). `devices` are platform IDs, active unless listed as inactive.
    """
    midnight = datetime.combine(day, time(), UTC)
    inactive = set(before.get("inactive", []))
    entries: list[dict[str, Any]] = []

    # Ten minutes apart, so that the order of the list is the order of age; the last one is before the day.
    pairs = [("link", ("device_dpid", "device_id"), pair) for pair in before.get("mappings", [])]
    pairs += [("email", ("email_dpid", "hash"), pair) for pair in before.get("emails", [])]
    for position, (kind, (other_dpid, other_id), (left, right)) in enumerate(pairs):
        seen_at = midnight - timedelta(minutes=10) * (len(pairs) - position)
        link = {other_dpid: _fields(right)["dpid"], other_id: _fields(right)["id"], "seen_at": _text(seen_at)}
        entries.append({kind: _fields(left) | link})

    the_day_before = _text(midnight - timedelta(hours=12))
    for profile, traits in before.get("profiles", {}).items():
        for trait in traits:
            held = {"trait_id": trait, "realized_at": the_day_before, "count": 1}
            entries.append({"trait": _fields(profile) | held})
    for opted_out in before.get("opted_out", []):
        entries.append({"opt_out": _fields(opted_out) | {"at": the_day_before}})
    for device in sorted({*devices, *inactive}):
        age = 2 * INACTIVE_AFTER if device in inactive else timedelta(hours=12)
        entries.append({"activity": _fields(device) | {"last_at": _text(midnight - age)}})

    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def _fields(text: str) -> dict[str, Any]:
    dpid, value = text.split(":", 1)
    return {"dpid": int(dpid), "id": value}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
