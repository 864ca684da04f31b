"""Mail to operations about deliveries to look at: blocked mappings, held and failed deliveries (OUT-026, OUT-134)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

from bsync_assets.catalog.models import Catalog
from bsync_assets.mail.deliver import MailFailed, deliver

log = logging.getLogger("bsync.outbound")


def send_alerts(catalog: Catalog, day: date, outcomes: Mapping[int, Mapping[str, Any]]) -> int:
    """Mail what the outcomes of a day say; answers how many messages. The same news of the same day is one message, however often
    it is told. A mail server that is down is logged, no more: the news is in the lake and in the UI, too."""
    settings = catalog.settings.mail
    sent = 0
    for number, outcome in outcomes.items():
        for subject, text in _news(catalog, number, outcome):
            message = _message(catalog, day, f"destination {number}: {subject}", text)
            if settings.ops:
                try:
                    deliver(settings, catalog.home, message, settings.ops)
                    sent += 1
                except MailFailed as failure:
                    log.warning("alert not sent: %s", failure.reason)
    return sent


def _news(catalog: Catalog, number: int, outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if outcome["status"] == "held":
        yield (
            "delivery held",
            f"The delivery is out of its usual band and waits: {outcome['why']}.\n\n"
            f"If it is right, let it go: bsync release {number}\nUntil then nothing newer goes to this destination.\n",
        )
    if outcome["status"] == "failed":
        yield "delivery failed", f"{outcome['why']}\n\nIt stays open; the next run sends the same files before anything newer.\n"
    if outcome["blocked"]:
        lines = [
            f"segment {block['segment_id']} ({catalog.segments[block['segment_id']].name}): {block['code']}, {_carrier(block)}"
            for block in outcome["blocked"]
        ]
        yield "segments blocked", "These mappings were not sent; all others were:\n\n" + "\n".join(lines) + "\n"


def _carrier(block: Mapping[str, Any]) -> str:
    return f"data source {block['source']}" if str(block["source"]).isdigit() else str(block["source"])


def _message(catalog: Catalog, day: date, subject: str, text: str) -> EmailMessage:
    settings, name = catalog.settings.mail, catalog.settings.account.name
    key = sha256(f"{name}\0{day}\0{subject}\0{text}".encode()).hexdigest()[:32]
    message = EmailMessage()
    message["Message-ID"] = f"<outbound.{day}.{key}@{settings.sender.rpartition('@')[2]}>"
    message["Date"] = datetime.combine(
        day + timedelta(days=1), time(14), UTC
    )  # when it was due: a repetition is the same message
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.ops)
    message["Subject"] = f"{name} {day} {subject}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message
