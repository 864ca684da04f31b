"""Stage `inbound_files`: the day's manifest. What arrived, what it claims to be, and whether it is let in.

Facts that cannot be recomputed are recorded at first sight and kept for every replay: arrival time, hash and batch.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from bsync_assets.assets.slices import ToRead
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.data_lines import HEAD_COLUMNS
from bsync_assets.exchange.names import FileName, NameRefused, parse_name
from bsync_assets.exchange.namespaces import DEVICE_DPIDS
from bsync_assets.transport import store
from bsync_assets.transport.drops import Dropped, dropped_files, processed_name
from bsync_assets.transport.pgp import PgpKey, load_key
from bsync_assets.transport.places import Place, PlaceError, TransferRefused, fetch, is_proper_name, open_place
from bsync_assets.warehouse.lake import fetch_all, lake_folder, replace_day, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

#: A file that changed within this time may still be written to: it is looked at again after a pause. Long, as clocks differ.
RECENT = timedelta(minutes=10)
SETTLE_SECONDS = 2.0

log = logging.getLogger("bsync.inbound_files")


def kept_files(home: Path) -> Path:
    """Where the copies of inbound files are kept."""
    return lake_folder(home) / "files"


def take_stock(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str]) -> dict[str, dict[str, int]]:
    """Bring the manifest of `day` up to date for these partners; answers per partner how many files are accepted, refused, ...

    Files not seen before form one new batch per partner. `waiting` are files that could not be had yet: still being written, or
    their place failed; `unreachable` is 1 when its inbox could not even be listed. Both come in with a later call.
    INB-02 to INB-42, IDS-30 to IDS-42.
    """
    known = fetch_all(con, "SELECT * FROM lake.main.inbound_files WHERE day = $day AND list_contains($partners, partner)",
                      {"day": day, "partners": list(partners)})  # fmt: skip
    counts = {partner: dict.fromkeys(("accepted", "refused", "duplicate", "waiting", "unreachable"), 0) for partner in partners}
    store.clear_drafts(kept_files(catalog.home))
    with open_inboxes(catalog, partners) as inboxes:
        dropped = _settled(catalog, day, inboxes, counts)
        manifest: list[dict[str, Any]] = []
        for partner, files in dropped.items():
            rows = [row for row in known if row["partner"] == partner]
            manifest += rows + _new_files(catalog, day, partner, inboxes[partner].place, files, rows, counts[partner])
        manifest += [row for row in known if row["partner"] not in dropped]
        rows_table(con, "manifest", BY_NAME["inbound_files"].columns, manifest)
        with transaction(con):
            replace_day(con, "inbound_files", day, "manifest", partners)
        con.execute("DROP TABLE manifest")
        for row in manifest:
            counts[row["partner"]][row["status"]] = counts[row["partner"]].get(row["status"], 0) + 1
        for partner, files in dropped.items():
            _mark_processed(inboxes[partner].place, files, {row["key"] for row in manifest if row["partner"] == partner})
    return counts


class CopyGoneError(RuntimeError):
    """A day is to be read again whose files are no longer kept."""


@dataclass(frozen=True)
class Inbox:
    """Where a partner drops its files; `own` = no other partner's files can lie there."""

    place: Place
    own: bool


@contextmanager
def open_inboxes(catalog: Catalog, partners: Iterable[str]) -> Iterator[dict[str, Inbox]]:
    """The inbox of each of these partners, one connection per address."""
    address = {name: partner.inbox or catalog.settings.inbox for name, partner in catalog.partners.items()}
    users = Counter(address.values())
    with ExitStack() as opened:
        places: dict[str, Place] = {}
        for partner in partners:
            if address[partner] not in places:
                places[address[partner]] = open_place(address[partner], catalog.home)
                opened.callback(places[address[partner]].close)
        yield {
            partner: Inbox(places[address[partner]], catalog.partners[partner].inbox is not None and users[address[partner]] == 1)
            for partner in partners
        }


def _settled(
    catalog: Catalog, day: date, inboxes: Mapping[str, Inbox], counts: Mapping[str, dict[str, int]]
) -> dict[str, list[Dropped]]:
    """Per partner whose inbox can be listed: the files that nobody is writing any more.

    Where files do not appear whole, one that changed of late is looked at twice, and left alone if it changed in between.
    """
    dropped: dict[str, list[Dropped]] = {}

    def look(partner: str) -> list[Dropped] | None:
        inbox = inboxes[partner]
        try:
            return list(dropped_files(inbox.place, partner, day, own=inbox.own, late_days=catalog.settings.late_days))
        except PlaceError as error:
            log.error("%s: no files taken in: %s", partner, error)
            counts[partner]["unreachable"] = 1
            return None

    for partner in inboxes:
        if (files := look(partner)) is not None:
            dropped[partner] = files
    recent = datetime.now(UTC).replace(tzinfo=None) - RECENT
    watched = {
        partner
        for partner, files in dropped.items()
        if not inboxes[partner].place.appears_whole and any(file.found.modified_at > recent for file in files)
    }
    if watched:
        time.sleep(SETTLE_SECONDS)
    for partner in watched:
        files, again = dropped.pop(partner), look(partner)
        if again is not None:
            stable = {(file.key, file.found) for file in files}
            dropped[partner] = [file for file in again if (file.key, file.found) in stable]
            counts[partner]["waiting"] = len(again) - len(dropped[partner])
    return dropped


def _new_files(
    catalog: Catalog,
    day: date,
    partner: str,
    place: Place,
    files: list[Dropped],
    known: list[dict[str, Any]],
    count: dict[str, int],
) -> list[dict[str, Any]]:
    """Manifest rows of files that are not in the manifest yet, all in one new batch."""
    batch = max((row["batch"] for row in known), default=0) + 1
    seen = {(row["key"], row["arrived_at"], row["size_bytes"]) for row in known}
    contents = {(row["key"], row["sha256"]) for row in known}
    unseen = [file for file in files if (file.key, file.arrived_at, file.found.size) not in seen]
    room = max(0, catalog.settings.limits.files_per_day - len(known))
    new = []
    for position, file in enumerate(unseen):
        try:
            row = _take_in(catalog, partner, place, file) if position < room else _refused(file, "too_many_files")
        except PlaceError as error:
            count["waiting"] += 1
            log.warning("%s: not taken in yet: %s", _quoted(file.key), _quoted(str(error)))
            if error.passing:  # the place is down: the rest would only wait as long, one by one
                count["waiting"] += len(unseen) - position - 1
                break
            continue
        if row["sha256"] and (file.key, row["sha256"]) in contents:
            row |= {"status": "duplicate", "reject_reason": None}  # INB-29
        contents.add((file.key, row["sha256"]))
        facts = {"day": day, "partner": partner, "file_id": file_id(file.key, row["sha256"]), "arrived_at": file.arrived_at}
        new.append(row | facts | {"batch": batch})
        log.info("%s: %s %s", _quoted(file.key), row["status"], row["reject_reason"] or "")
    return new


def _take_in(catalog: Catalog, partner: str, place: Place, file: Dropped) -> dict[str, Any]:
    """What the name and one pass over the content say of a file; its copy is kept if it is let in (INB-162)."""
    limits = catalog.settings.limits
    row, reason = _refused(file, None), None
    name = None
    try:
        name = parse_name(file.key)
        row |= describe(name)
        in_place = (name.partner, file.key.count("/")) == (partner, 2)  # not a second such folder within the day's
        reason = registry_refusal(catalog, partner, name) if in_place else "bad_date_folder"
    except NameRefused as refusal:
        reason = refusal.code
    if not is_proper_name(file.found.name):  # `..` in a key on S3: whatever it would lead to, it is not read
        return row | {"status": "refused", "reject_reason": reason or "bad_date_folder"}
    packed = name is not None and (name.compression or name.encryption)
    folder = kept_files(catalog.home)
    draft = store.draft_path(folder)
    try:
        row["sha256"] = fetch(
            place, file.found, draft,
            max_bytes=limits.packed_bytes if packed else limits.plain_bytes, max_seconds=limits.seconds_per_file,
        )  # fmt: skip
        if name is not None and reason is None:
            key = private_key(catalog, partner) if name.encryption else None
            with store.made_safe(draft):
                contents = store.inspect(draft, name.compression, name.encryption, key, limits)
            reason, row["lines"] = contents.reject_reason, contents.lines
        if reason is None:
            store.keep(draft, folder, row["sha256"])
    except TransferRefused as refusal:
        reason = reason or refusal.code
    finally:
        draft.unlink(missing_ok=True)
    return row | {"status": "refused" if reason else "accepted", "reject_reason": reason}


def _refused(file: Dropped, reason: str | None) -> dict[str, Any]:
    """The row of a file of which no more is known than that it lies there."""
    return {
        "key": file.key, "size_bytes": file.found.size, "sha256": "", "lines": 0, "status": "refused", "reject_reason": reason,
    }  # fmt: skip


def _mark_processed(place: Place, files: Iterable[Dropped], recorded: set[str]) -> None:
    """Over SFTP a file gets the ending `.processed` once it is in the manifest (INB-05); where that fails, next time."""
    if place.has_day_folders:
        return
    for file in files:
        if file.key in recorded:
            try:
                place.rename(file.found.name, processed_name(file.found.name))
            except PlaceError as error:
                log.warning("%s: not renamed yet: %s", _quoted(file.key), _quoted(str(error)))
                if error.passing:
                    return


def private_key(catalog: Catalog, partner: str) -> PgpKey | None:
    """The key that this partner's files are encrypted to, or None."""
    return load_key(catalog.partners[partner].pgp or catalog.settings.pgp, catalog.home)


def to_read(catalog: Catalog, file: Mapping[str, Any]) -> ToRead:
    """How to read an accepted file of the manifest; `file` has its number within the day besides the columns.

    Raises CopyGoneError when the day is so old that its copies are no longer kept (PRV-043).
    """
    key = private_key(catalog, file["partner"]) if file["encryption"] else None
    copy = store.kept_path(kept_files(catalog.home), file["sha256"])
    if not copy.exists():
        raise CopyGoneError(
            f"the kept copy of {_quoted(file['key'])} is gone; a day cannot be run again once its files have ended"
        )
    return ToRead(file["file"], copy, file["compression"], key, HEAD_COLUMNS.get(file["format"], 0))


def _quoted(text: str) -> str:
    """A name on one line of a log, whatever it holds."""
    return text.encode("unicode_escape").decode()[:500]


def file_id(key: str, sha256: str) -> int:
    """A positive 63-bit number for a file of this key and content, the same in every run."""
    return int.from_bytes(hashlib.sha256(f"{key}\n{sha256}".encode()).digest()[:8]) >> 1


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
