"""The two ways of a receipt: mail, and copies next to the files. Both try once, say what came of it, and know when to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bsync_assets.assets.inbound_files import Inbox, open_inboxes
from bsync_assets.catalog.models import Catalog
from bsync_assets.mail.deliver import MailFailed, deliver
from bsync_assets.mail.document import receipt_json
from bsync_assets.mail.receipt import Receipt
from bsync_assets.mail.render import fault_mail, receipt_mail
from bsync_assets.transport.drops import receipt_name
from bsync_assets.transport.places import PlaceError
from bsync_assets.warehouse.lake import lake_folder

log = logging.getLogger("bsync.receipt_mail")

#: A message that takes this share of the timeout costs no patience.
_NORMAL_SHARE = 0.1

Message = Mapping[str, Any]


class Outcome(NamedTuple):
    """What came of a try: sent, due (again) or failed, who lacks the message, and why."""

    status: str
    recipients: Sequence[str]
    error: str | None = None


class Channel(Protocol):
    """One of the ways, for the time of one run."""

    def is_open(self, message: Message) -> bool:
        """Whether this message, a row of `mail_outbox`, can be tried: after an outage the rest waits for a later run."""

    def send(self, receipt: Receipt, message: Message) -> Outcome:
        """Try once."""


class Mail:
    """Mail as configured. What messages take beyond the usual adds up to no more than the configured timeout."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._patience = catalog.settings.mail.timeout_seconds

    def is_open(self, message: Message) -> bool:
        """See Channel."""
        return self._patience > 0

    def send(self, receipt: Receipt, message: Message) -> Outcome:
        """See Channel."""
        settings, recipients = self._catalog.settings.mail, list(message["recipients"])
        write = receipt_mail if receipt.balanced else fault_mail
        mail = write(receipt, settings.sender, recipients, self._catalog.settings.account.name)
        usual = settings.timeout_seconds * _NORMAL_SHARE
        seconds = min(settings.timeout_seconds, self._patience + usual)
        began = time.monotonic()
        try:
            deliver(settings.model_copy(update={"timeout_seconds": seconds}), self._catalog.home, mail, recipients)
        except MailFailed as failure:
            if failure.temporary and not failure.refused:
                self._patience = 0
            return Outcome("due" if failure.temporary else "failed", list(failure.refused) or recipients, failure.reason)
        finally:
            self._patience -= max(0, time.monotonic() - began - usual)
        return Outcome("sent", recipients)


class Copies:
    """`<name>.receipt.json` next to every file, for partners that poll: the receipt as JSON, with this file alone.

    `newest` = the files that each message decides (`newest_copies.sql`): of the others something newer was said meanwhile.
    """

    def __init__(self, catalog: Catalog, inboxes: Mapping[str, Inbox], newest: Mapping[str, Sequence[str]], draft: Path) -> None:
        self._catalog = catalog
        self._inboxes = inboxes
        self._newest = newest
        self._draft = draft
        self._closed: set[object] = set()  # places that are down, partners whose folder cannot be written to

    def is_open(self, message: Message) -> bool:
        """See Channel."""
        inbox = self._inboxes.get(message["partner"])
        return inbox is None or not self._closed & {inbox.place, message["partner"]}

    def send(self, receipt: Receipt, message: Message) -> Outcome:
        """See Channel. Files whose copy was written are no recipients any more when another one's fails."""
        settings, inbox = self._catalog.settings, self._inboxes.get(receipt.partner)
        if inbox is None:
            return Outcome("failed", message["recipients"], "the catalog has no such partner any more")
        decided = set(self._newest.get(message["message_id"], ()))
        named = {file.name: file for file in receipt.files}
        files = [file for file in message["recipients"] if file in decided and file in named]
        for position, file in enumerate(files):
            self._draft.write_bytes(receipt_json(receipt, settings.mail.sender, settings.account.name, only=named[file]))
            try:
                inbox.place.put(self._draft, receipt_name(inbox.place, file, own=inbox.own))
            except PlaceError as error:
                self._closed.add(inbox.place if error.passing else receipt.partner)
                return Outcome("due", files[position:], str(error))
        return Outcome("sent", message["recipients"])


@contextmanager
def open_channels(
    catalog: Catalog, partners: Sequence[str], newest: Mapping[str, Sequence[str]]
) -> Iterator[Mapping[str, Channel]]:
    """The channels by name; `partners` = those whose files get copies."""
    draft = lake_folder(catalog.home) / "tmp" / "receipt.json"  # the one writer's, so a kill leaves one at most
    draft.parent.mkdir(parents=True, exist_ok=True)
    with open_inboxes(catalog, [partner for partner in partners if partner in catalog.partners]) as inboxes:
        yield {"mail": Mail(catalog), "file": Copies(catalog, inboxes, newest, draft)}
    draft.unlink(missing_ok=True)
