"""What arrived since the last run: files of today and late ones, and files in partners' test folders.

The arrival sensor asks here; so a file is answered with a receipt within minutes, not next morning.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from bsync_assets.assets.inbound_files import open_inboxes
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.receipts import Kind
from bsync_assets.mail.deliver import MailFailed, deliver
from bsync_assets.mail.render import DryRun, dry_run_mail
from bsync_assets.transport.drops import TEST_FOLDER, dropped_files
from bsync_assets.transport.places import Found, Place, PlaceError, TransferRefused, fetch
from bsync_assets.validate import JudgedLine, validate
from bsync_assets.warehouse.publish import published_file

log = logging.getLogger("bsync.arrivals")

#: Rejected lines that the answer to a test file shows.
SHOWN_LINES = 50


@dataclass(frozen=True)
class Arrivals:
    """Files that no finished run has seen: the days and partners to run for them, and what tells this set from any other."""

    days: frozenset[date]
    partners: frozenset[str]
    key: str


def new_arrivals(catalog: Catalog, today: date) -> Arrivals | None:
    """Files of today and of the days before within `late_days`, by name, size and time; None when all were seen.

    An inbox that cannot be listed now is looked at the next time. Reads the published views.
    """
    first = max(catalog.settings.account.start, today - timedelta(days=catalog.settings.late_days))
    seen = _seen(catalog, first)
    days, partners, marks = set(), set(), []
    with open_inboxes(catalog, list(catalog.partners)) as inboxes:
        for partner, inbox in inboxes.items():
            for offset in range((today - first).days + 1):
                day = first + timedelta(days=offset)
                try:
                    dropped = list(dropped_files(inbox.place, partner, day, own=inbox.own, late_days=catalog.settings.late_days))
                except PlaceError as error:
                    log.warning("%s: %s", partner, error)
                    break
                for file in dropped:
                    mark = (file.key, file.found.size, file.arrived_at.replace(tzinfo=None))
                    if mark not in seen:
                        days.add(day)
                        partners.add(partner)
                        marks.append(repr(mark))
    return Arrivals(frozenset(days), frozenset(partners), " ".join(sorted(marks))) if days else None


def _seen(catalog: Catalog, first: date) -> Collection[tuple[Any, ...]]:
    file = published_file(catalog.home)
    if not file.exists():
        return ()
    with duckdb.connect(str(file), read_only=True) as views:
        query = "SELECT key, size_bytes, arrived_at FROM inbound_files WHERE day >= $first"
        return set(views.execute(query, {"first": first}).fetchall())


def answer_test_files(catalog: Catalog, answered: Mapping[str, str]) -> dict[str, str]:
    """Judge the files in the partners' test folders that were not answered yet, and mail what would happen to them (INB-07).

    `answered` maps name to a mark of size and time; the answer is the same for the files that lie there now. Nothing of a file
    is stored. What cannot be read or mailed now is tried the next time.
    """
    now: dict[str, str] = {}
    with open_inboxes(catalog, list(catalog.partners)) as inboxes:
        for partner, inbox in inboxes.items():
            folder = TEST_FOLDER if inbox.own else f"{partner}/{TEST_FOLDER}"
            try:
                for file in list(inbox.place.files(folder)):
                    name, mark = f"{partner}/{Path(file.name).name}", f"{file.size} {file.modified_at}"
                    if answered.get(name) == mark or _answer(catalog, partner, inbox.place, file):
                        now[name] = mark
            except PlaceError as error:
                log.warning("%s: %s", partner, error)
    return now


def _answer(catalog: Catalog, partner: str, place: Place, file: Found) -> bool:
    """Judge one test file and mail the verdict; False when the mail did not go out."""
    rejected: list[JudgedLine] = []
    count = 0
    refused: str | None

    def note(lines: list[JudgedLine]) -> None:
        nonlocal count
        count += len(lines)
        rejected.extend(lines[: SHOWN_LINES - len(rejected)])

    base = Path(file.name).name
    with tempfile.TemporaryDirectory(prefix="bsync-test-") as folder:
        try:
            sha256 = fetch(place, file, Path(folder) / base, max_bytes=catalog.settings.limits.packed_bytes)
        except TransferRefused as refusal:
            sha256, verdict, refused = "", None, str(refusal)
        else:
            verdict = validate(Path(folder) / base, catalog, partner, note)
            refused = verdict.name.get("reject") or verdict.refused
    kind: Kind = "id_sync" if verdict is not None and verdict.name.get("family") == "id_sync" else "data"
    run = DryRun(
        kind=kind,
        partner=partner,
        file=base,
        sha256=sha256,
        arrived_at=file.modified_at,
        refused=refused,
        counters=verdict.counters if verdict is not None else {},
        lines=[(line.line_no, line.reason or line.outcome, line.rule or "", line.sample or "") for line in rejected],
        left_out=count - len(rejected),
        hints=[hint.advice for hint in verdict.hints] if verdict is not None else [],
    )
    settings = catalog.settings.mail
    to = list(dict.fromkeys((*settings.ops, *catalog.partners[partner].contacts)))
    try:
        deliver(settings, catalog.home, dry_run_mail(run, settings.sender, to, catalog.settings.account.name), to)
    except MailFailed as failure:
        log.warning("%s/test/%s: %s", partner, base, failure.reason)
        return False
    return True
