"""Mail to operations about something to look at: one message per piece of news, however often it is told."""

from __future__ import annotations

import logging
from datetime import datetime
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

from bsync_assets.catalog.models import Settings
from bsync_assets.mail.deliver import MailFailed, deliver

log = logging.getLogger("bsync.mail")


def alert(settings: Settings, home: Path, topic: str, at: datetime, subject: str, text: str) -> bool:
    """Tell operations; answers whether the message went out. `at` (UTC) is the moment the news belongs to, not that of sending.

    `topic` and the content make the Message-ID, so news told again is the same message. A mail server that is down is logged, no
    more: what there is to know stands in the lake and in the UI, too.
    """
    if not settings.mail.ops:
        return False
    message = _message(settings, topic, at, " ".join(subject.split()), text)
    try:
        deliver(settings.mail, home, message, settings.mail.ops)
    except MailFailed as failure:
        log.warning("alert not sent: %s: %s", subject, failure.reason)
        return False
    return True


def _message(settings: Settings, topic: str, at: datetime, subject: str, text: str) -> EmailMessage:
    name, sender = settings.account.name, settings.mail.sender
    key = sha256(f"{name}\0{topic}\0{subject}\0{text}".encode()).hexdigest()[:32]
    message = EmailMessage()
    message["Message-ID"] = f"<{topic}.{key}@{sender.rpartition('@')[2]}>"
    message["Date"] = at
    message["From"] = sender
    message["To"] = ", ".join(settings.mail.ops)
    message["Subject"] = f"{name} {subject}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message
