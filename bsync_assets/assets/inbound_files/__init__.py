"""Stage `inbound_files`: the day's manifest. What arrived, what it claims to be, and whether it is let in.

Facts that cannot be recomputed are recorded at first sight and kept for every replay: arrival time, hash and batch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.names import FileName, NameRefused, parse_name
from bsync_assets.exchange.namespaces import DEVICE_DPIDS
from bsync_assets.transport import local, store
from bsync_assets.warehouse.lake import fetch_all, lake_folder, replace_day, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

log = logging.getLogger("bsync.inbound_files")


def kept_files(home: Path) -> Path:
    """Where the copies of inbound files are kept."""
    return lake_folder(home) / "files"


def take_stock(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str]) -> dict[str, dict[str, int]]:
    """Bring the manifest of `day` up to date for these partners; answers per partner how many files are accepted and refused.

    Files not seen before form one new batch per partner. INB-02 to INB-42, IDS-30 to IDS-42.
    """
    known = fetch_all(con, "SELECT * FROM lake.main.inbound_files WHERE day = $day AND list_contains($partners, partner)",
                      {"day": day, "partners": list(partners)})  # fmt: skip
    manifest: list[dict[str, Any]] = []
    for partner in partners:
        rows = [row for row in known if row["partner"] == partner]
        manifest += rows + _new_files(catalog, day, partner, rows)
    rows_table(con, "manifest", BY_NAME["inbound_files"].columns, manifest)
    with transaction(con):
        replace_day(con, "inbound_files", day, "manifest", partners)
    con.execute("DROP TABLE manifest")
    counts = {partner: {"accepted": 0, "refused": 0, "duplicate": 0} for partner in partners}
    for row in manifest:
        counts[row["partner"]][row["status"]] += 1
    return counts


def _new_files(catalog: Catalog, day: date, partner: str, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Manifest rows of files that are not in the manifest yet, all in one new batch."""
    batch = max((row["batch"] for row in known), default=0) + 1
    seen = {(row["key"], row["arrived_at"], row["size_bytes"]) for row in known}
    contents = {(row["key"], row["sha256"]) for row in known}
    folder = kept_files(catalog.home)
    new = []
    for file in local.dropped_files(catalog.home / catalog.settings.inbox, partner, day):
        if (file.key, file.arrived_at, file.path.stat().st_size) in seen:
            continue
        sha256, size = store.keep(file.path, folder)
        row = _manifest_row(catalog, day, partner, file.key, store.kept_path(folder, sha256), size)
        if (file.key, sha256) in contents:
            row |= {"status": "duplicate", "reject_reason": None}  # INB-29
        contents.add((file.key, sha256))
        new.append(
            row
            | {
                "day": day,
                "partner": partner,
                "sha256": sha256,
                "file_id": file_id(file.key, sha256),
                "arrived_at": file.arrived_at,
                "batch": batch,
            }
        )
        log.info("%s: %s %s", file.key, row["status"], row["reject_reason"] or "")
    return new


def file_id(key: str, sha256: str) -> int:
    """A positive 63-bit number for a file of this key and content, the same in every run."""
    return int.from_bytes(hashlib.sha256(f"{key}\n{sha256}".encode()).digest()[:8]) >> 1


def _manifest_row(catalog: Catalog, day: date, partner: str, key: str, copy: Path, size: int) -> dict[str, Any]:
    """What the name and one pass over the content say of a file."""
    row: dict[str, Any] = {"key": key, "size_bytes": size, "status": "refused", "lines": 0}
    try:
        name = parse_name(key)
    except NameRefused as refusal:
        return row | {"reject_reason": refusal.code}
    row |= describe(name)
    reason = registry_refusal(catalog, partner, name)
    if reason is None and name.encryption is not None:
        reason = "bad_pgp"
    if reason is None:
        contents = store.inspect(copy, name.compression)
        reason, row["lines"] = contents.reject_reason, contents.lines
    return row | {"status": "refused" if reason else "accepted", "reject_reason": reason}


def describe(name: FileName) -> dict[str, Any]:
    """The columns of the manifest that the name alone fills. The target of a data file is its source unless named (INB-15)."""
    common = {"family": name.family, "split": name.split, "compression": name.compression, "encryption": name.encryption}
    if name.family == "data":
        return common | {"format": name.format, "dpid": name.dpid, "target": name.target or name.dpid, "mode": name.mode}
    return common | {"format": name.prefix, "dpid": name.master, "dpids": list(name.dpids), "mode": "sync"}


def registry_refusal(catalog: Catalog, partner: str, name: FileName) -> str | None:
    """The first reason why this partner may not send a file of this name, or None. IDS-40, IDS-72, INB-17, INB-42."""
    access = catalog.partners[partner].access

    def problem(dpid: int | None, unknown: str, foreign: str) -> str | None:
        if dpid is None or dpid in DEVICE_DPIDS:
            return None
        source = catalog.data_sources.get(dpid)
        if source is None:
            return unknown
        return None if source.owner == partner or dpid in access else foreign

    if name.family == "data":
        return problem(name.dpid, "unknown_dpid", "source_not_authorized") or problem(
            name.target, "unknown_target", "target_not_authorized"
        )
    problems = [problem(dpid, "unknown_dpid", "source_not_authorized") for dpid in (name.master, *name.dpids)]
    first = next((code for code in ("unknown_dpid", "source_not_authorized") if code in problems), None)
    if first is None and name.prefix == "c2c_id":
        emails = catalog.data_sources[name.dpids[0]]
        if emails.type != "cross_device" or emails.label != "hashed_email":
            return "not_hashed_email_source"
    return first


def link_time(arrived_at: datetime, day: date) -> datetime:
    """Arrival clamped into the day of the file: when a link in it counts as seen."""
    start = datetime(day.year, day.month, day.day)
    return min(max(arrived_at, start), start.replace(hour=23, minute=59, second=59, microsecond=999999))
