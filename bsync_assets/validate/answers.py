"""Answers to the files in partners' test folders: each is judged, and what would happen to it is mailed (INB-07)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bsync_assets.assets.inbound_files import open_inboxes
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.receipts import Kind
from bsync_assets.mail.deliver import MailFailed, deliver
from bsync_assets.mail.render import DryRun, dry_run_mail
from bsync_assets.transport.drops import TEST_FOLDER
from bsync_assets.transport.places import Found, Place, PlaceError, TransferRefused, fetch
from bsync_assets.validate import JudgedLine, validate

log = logging.getLogger("bsync.arrivals")

#: Rejected lines that the answer to a test file shows.
SHOWN_LINES = 50


def answer_test_files(catalog: Catalog, answered: Mapping[str, str]) -> dict[str, str]:
    """Judge the files in the partners' test folders that were not answered yet, and mail what would happen to them.

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
