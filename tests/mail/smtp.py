"""A real mail server on 127.0.0.1 that does as told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bsync_assets.catalog.models import MailSettings

SENDER = "no-reply@northwind.example"
OPS, DATA, GONE = "ops@northwind.example", "data@acme.example", "gone@acme.example"


@dataclass
class Inbox:
    """What a server took, and the answers it gives instead; each list of answers is used up in order."""

    to: dict[str, list[str]] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    quit: str = "221 Bye"
    delay_seconds: float = 0
    hang_up: bool = False
    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    users: list[LoginPassword] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answers = self.to.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay_seconds)
        if self.text:
            return self.text.pop(0)
        assert envelope.mail_from is not None and isinstance(envelope.content, bytes)
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        self.encrypted.append(session.ssl is not None)
        if self.hang_up:
            assert server.transport is not None
            server.transport.close()
        return "250 taken"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return self.quit

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        self.users.append(given)
        return AuthResult(success=given == LoginPassword(b"bsync", b"open sesame"), handled=False)


@contextmanager
def serving(inbox: Inbox, **options: Any) -> Iterator[MailSettings]:
    """A mail server on a free port of this machine; gives the settings that reach it."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(inbox, loop=loop, hostname="localhost", **options), "127.0.0.1", 0)
    )
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield settings_for(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))
        loop.close()


def settings_for(port: int) -> MailSettings:
    return MailSettings(transport="smtp", port=port, sender=SENDER, ops=(OPS,))
