"""Hands one message to a Maildir or an SMTP server; says plainly when that failed and whether to try again.

What does not belong here: when to retry, and the record of what was sent (the receipts stage keeps it).
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from threading import Timer

from bsync_assets.catalog.models import MailSettings


class MailFailed(Exception):
    """A message did not reach everybody.

    `temporary`: trying again later may help. `refused`: recipient → the server's answer. When it is empty,
    nobody is known to have the message; otherwise exactly the recipients in it lack it, and only they may be
    tried again.
    """

    def __init__(self, reason: str, temporary: bool, refused: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.temporary = temporary
        self.refused = refused or {}


def deliver(settings: MailSettings, home: Path, message: EmailMessage, recipients: Sequence[str]) -> None:
    """Delivers `message` to `recipients` by the configured transport; returns only when all of them have it.

    A Maildir (at `settings.path` below `home`) keeps one copy for all recipients, and delivering a message
    twice leaves one file. SMTP cannot promise that: when the connection breaks after the text was sent, the
    server may have it; a retry carries the same Message-ID. It takes `settings.timeout_seconds` at most.
    Raises MailFailed, and ValueError for a message without Message-ID.
    """
    if not message["Message-ID"]:
        raise ValueError("a message without Message-ID cannot be delivered exactly once")
    if settings.transport == "maildir":
        _to_maildir(home / settings.path, message)
    else:
        _to_server(settings, message, list(recipients))


# --- Maildir --------------------------------------------------------------------------------------


def _to_maildir(folder: Path, message: EmailMessage) -> None:
    name = _file_name(str(message["Message-ID"]))
    try:
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        # Mail readers move a message from new/ to cur/ and append their flags behind a colon.
        read = (path.name.partition(":")[0] for path in (folder / "cur").iterdir())
        if (folder / "new" / name).exists() or name in read:
            return
        with tempfile.NamedTemporaryFile(dir=folder / "tmp", delete=False) as draft:
            try:
                draft.write(message.as_bytes())
                draft.flush()
                os.fsync(draft.fileno())
                Path(draft.name).rename(folder / "new" / name)
            except BaseException:
                Path(draft.name).unlink()
                raise
        _sync_folder(folder / "new")
    except OSError as error:
        raise MailFailed(f"cannot write to the Maildir {folder}: {error}", temporary=True) from error


def _file_name(identifier: str) -> str:
    """A Maildir name of a Message-ID: readable, unique by its digest, without '/', ':' or leading '.'."""
    identifier = identifier.strip()  # a header that was folded comes back with a blank in front
    readable = re.sub(r"[^A-Za-z0-9@._-]", "_", identifier.strip("<>")).lstrip(".")[:150]
    return f"{readable}.{sha256(identifier.encode()).hexdigest()[:16]}"


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable, so that a receipt recorded as sent is still there after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- SMTP -----------------------------------------------------------------------------------------


def _to_server(settings: MailSettings, message: EmailMessage, recipients: list[str]) -> None:
    if not recipients:
        raise MailFailed("nobody to send to: the mail settings name no recipient", temporary=False)
    server = f"mail server {settings.host}:{settings.port}"
    try:
        with _session(settings) as session:
            answers = session.send_message(message, to_addrs=recipients)
    except smtplib.SMTPRecipientsRefused as error:
        # A 421 in between ends the session before the text was sent: those not refused by name lack it too.
        refused = dict.fromkeys(recipients, "not tried") | _texts(error.recipients)
        raise MailFailed(f"{server} took no recipient", _any_temporary(error.recipients), refused) from error
    except smtplib.SMTPResponseException as error:
        answer = _text((error.smtp_code, error.smtp_error))
        raise MailFailed(f"{server} refused: {answer}", 400 <= error.smtp_code < 500) from error
    except smtplib.SMTPServerDisconnected as error:
        raise MailFailed(f"{server} broke off: {error}", temporary=True) from error
    except smtplib.SMTPException as error:  # no STARTTLS, no way to log in, no addresses beyond ASCII
        raise MailFailed(f"{server} cannot do what the settings ask for: {error}", temporary=False) from error
    except ssl.SSLCertVerificationError as error:
        reason = f"{server} has no valid certificate: {error.verify_message}"
        raise MailFailed(reason, temporary=False) from error
    except OSError as error:
        raise MailFailed(f"{server} cannot be reached: {error}", temporary=True) from error
    if answers:
        reason = f"{server} refused {len(answers)} of {len(recipients)} recipients"
        raise MailFailed(reason, _any_temporary(answers), _texts(answers))


@contextmanager
def _session(settings: MailSettings) -> Iterator[smtplib.SMTP]:
    """A connection ready to send: encrypted and logged in as configured, never less than that."""
    with _Session(settings) as session:
        if settings.starttls:
            session.starttls(context=ssl.create_default_context())
        if settings.user is not None:
            session.login(settings.user, _password(settings))
        yield session
        # The message is accepted by now: a server that stumbles over the farewell must not make us repeat it.
        with suppress(smtplib.SMTPException, OSError):
            session.quit()


class _Session(smtplib.SMTP):
    """A connection that ends when its time is over. The timeout of the library is for each wait: a server can drag it out."""

    def __init__(self, settings: MailSettings) -> None:
        self._seconds = settings.timeout_seconds
        self._over = Timer(self._seconds, self._hang_up)
        self._over.daemon = True
        self._over.start()
        try:
            super().__init__(settings.host, settings.port, timeout=self._seconds)
        except BaseException:
            self._over.cancel()
            raise

    def _hang_up(self) -> None:
        if self.sock is not None:
            with suppress(OSError):  # past TLS, which would want to say goodbye
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def __exit__(self, *raised: object) -> None:
        self._over.cancel()
        self.close()


def _password(settings: MailSettings) -> str:
    name = settings.password_env
    password = os.environ.get(name) if name else None
    if password is None:
        missing = f"the environment variable {name} is not set" if name else "password_env is not configured"
        raise MailFailed(f"no password for mail user {settings.user}: {missing}", temporary=False)
    if not password.isascii():
        reason = f"the password in {name} has a character beyond ASCII, which SMTP cannot carry"
        raise MailFailed(reason, temporary=False)
    return password


Answers = Mapping[str, tuple[int, bytes]]


def _any_temporary(answers: Answers) -> bool:
    return any(400 <= code < 500 for code, _ in answers.values())


def _texts(answers: Answers) -> dict[str, str]:
    return {recipient: _text(answer) for recipient, answer in answers.items()}


def _text(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    shown = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(shown.split())}"
