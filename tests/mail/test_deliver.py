"""Delivery to real servers on this machine and to real Maildirs."""

from __future__ import annotations

import mailbox
import shutil
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from threading import Thread

import pytest
from aiosmtpd.smtp import LoginPassword
from mail.smtp import DATA, GONE, OPS, SENDER, Inbox, serving, settings_for

from bsync_assets.catalog.models import MailSettings
from bsync_assets.mail.deliver import MailFailed, deliver
from bsync_assets.mail.receipt import Receipt
from bsync_assets.mail.render import receipt_mail


@pytest.fixture
def message(receipt_of: Callable[..., Receipt]) -> EmailMessage:
    return receipt_mail(receipt_of(), SENDER, [OPS, DATA], "Northwind Outdoor")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    making = ["openssl", "req", "-x509", *kind, *subject, "-out", chain, "-keyout", key]
    subprocess.run(making, check=True, capture_output=True)
    return chain, key


@pytest.fixture
def encryption(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


# --- SMTP -----------------------------------------------------------------------------------------


def test_smtp_delivers_to_every_recipient(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as settings:
        deliver(settings, tmp_path, message, [OPS, DATA])
    ((sender, recipients, content),) = inbox.taken
    assert (sender, recipients) == (SENDER, [OPS, DATA])
    assert content.replace(b"\r\n", b"\n").rstrip() == message.as_bytes().rstrip()
    assert list(tmp_path.iterdir()) == []


def test_smtp_starttls(
    message: EmailMessage,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    encryption: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    inbox = Inbox()
    with serving(inbox, tls_context=encryption, require_starttls=True) as settings:
        deliver(settings.model_copy(update={"starttls": True}), tmp_path, message, [OPS])
    assert inbox.encrypted == [True]


def test_smtp_starttls_refuses_an_unknown_certificate(message: EmailMessage, tmp_path: Path, encryption: ssl.SSLContext) -> None:
    inbox = Inbox()
    with serving(inbox, tls_context=encryption) as settings, pytest.raises(MailFailed) as failed:
        deliver(settings.model_copy(update={"starttls": True}), tmp_path, message, [OPS])
    assert "no valid certificate" in failed.value.reason
    assert not failed.value.temporary
    assert inbox.taken == []


def test_smtp_starttls_never_falls_back_to_plain_text(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox()
    with serving(inbox) as settings, pytest.raises(MailFailed, match="STARTTLS") as failed:
        deliver(settings.model_copy(update={"starttls": True}), tmp_path, message, [OPS])
    assert not failed.value.temporary
    assert inbox.taken == []


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # on purpose, here


@contextmanager
def serving_users(inbox: Inbox) -> Iterator[MailSettings]:
    with serving(inbox, authenticator=inbox.login, auth_required=True, auth_require_tls=False) as settings:
        yield settings.model_copy(update={"user": "bsync", "password_env": "BSYNC_TEST_PASSWORD"})


def test_smtp_login(message: EmailMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSYNC_TEST_PASSWORD", "open sesame")
    inbox = Inbox()
    with serving_users(inbox) as settings:
        deliver(settings, tmp_path, message, [OPS])
    assert inbox.users == [LoginPassword(b"bsync", b"open sesame")]
    assert len(inbox.taken) == 1


def test_smtp_wrong_password_is_permanent_and_not_shown(
    message: EmailMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BSYNC_TEST_PASSWORD", "hunter2")
    inbox = Inbox()
    with serving_users(inbox) as settings, pytest.raises(MailFailed, match="535") as failed:
        deliver(settings, tmp_path, message, [OPS])
    assert not failed.value.temporary
    assert "hunter2" not in str(failed.value)
    assert inbox.taken == []


@pytest.mark.parametrize(
    ("password", "password_env", "problem"),
    [
        (None, "BSYNC_TEST_PASSWORD", "the environment variable BSYNC_TEST_PASSWORD is not set"),
        (None, None, "password_env is not configured"),
        ("geheimnisträger", "BSYNC_TEST_PASSWORD", "a character beyond ASCII"),
    ],
)
def test_smtp_without_usable_password(
    message: EmailMessage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str | None,
    password_env: str | None,
    problem: str,
) -> None:
    monkeypatch.delenv("BSYNC_TEST_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("BSYNC_TEST_PASSWORD", password)
    inbox = Inbox()
    with serving_users(inbox) as settings, pytest.raises(MailFailed, match=problem) as failed:
        deliver(settings.model_copy(update={"password_env": password_env}), tmp_path, message, [OPS])
    assert not failed.value.temporary
    assert inbox.taken == []


def test_smtp_login_that_the_server_does_not_offer(
    message: EmailMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BSYNC_TEST_PASSWORD", "open sesame")
    with serving(Inbox()) as settings, pytest.raises(MailFailed, match="AUTH") as failed:
        asking = settings.model_copy(update={"user": "bsync", "password_env": "BSYNC_TEST_PASSWORD"})
        deliver(asking, tmp_path, message, [OPS])
    assert not failed.value.temporary


def test_smtp_refused_connection_is_temporary(message: EmailMessage, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MailFailed, match=f"127.0.0.1:{port} cannot be reached") as failed:
        deliver(settings_for(port), tmp_path, message, [OPS])
    assert failed.value.temporary
    assert failed.value.refused == {}


def test_smtp_4xx_then_accepted_on_retry(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(text=["451 try again later"])
    with serving(inbox) as settings:
        with pytest.raises(MailFailed, match="451 try again later") as failed:
            deliver(settings, tmp_path, message, [OPS])
        assert failed.value.temporary
        assert inbox.taken == []
        deliver(settings, tmp_path, message, [OPS])
    assert len(inbox.taken) == 1


def test_smtp_5xx_for_the_text_is_permanent(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(text=["554 no thanks"])
    with serving(inbox) as settings, pytest.raises(MailFailed, match="554 no thanks") as failed:
        deliver(settings, tmp_path, message, [OPS])
    assert not failed.value.temporary
    assert failed.value.refused == {}


def test_smtp_5xx_for_one_recipient_leaves_the_others(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(to={GONE: ["550 no such user"]})
    with serving(inbox) as settings, pytest.raises(MailFailed, match="1 of 3 recipients") as failed:
        deliver(settings, tmp_path, message, [OPS, GONE, DATA])
    assert failed.value.refused == {GONE: "550 no such user"}
    assert not failed.value.temporary
    assert [recipients for _, recipients, _ in inbox.taken] == [[OPS, DATA]]


def test_smtp_4xx_for_one_recipient_is_temporary_for_that_one(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(to={DATA: ["450 mailbox busy"]})
    with serving(inbox) as settings:
        with pytest.raises(MailFailed) as failed:
            deliver(settings, tmp_path, message, [OPS, DATA])
        assert failed.value.refused == {DATA: "450 mailbox busy"}
        assert failed.value.temporary
        deliver(settings, tmp_path, message, list(failed.value.refused))
    assert [recipients for _, recipients, _ in inbox.taken] == [[OPS], [DATA]]


def test_smtp_all_recipients_refused(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(to={OPS: ["550 unknown"], DATA: ["550 unknown"]})
    with serving(inbox) as settings, pytest.raises(MailFailed) as failed:
        deliver(settings, tmp_path, message, [OPS, DATA])
    assert failed.value.refused == {OPS: "550 unknown", DATA: "550 unknown"}
    assert not failed.value.temporary
    assert inbox.taken == []


def test_smtp_421_between_recipients_means_nobody_has_it(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(to={GONE: ["421 closing down"]})
    with serving(inbox) as settings, pytest.raises(MailFailed) as failed:
        deliver(settings, tmp_path, message, [OPS, GONE, DATA])
    assert failed.value.refused == {OPS: "not tried", GONE: "421 closing down", DATA: "not tried"}
    assert failed.value.temporary
    assert inbox.taken == []


def test_smtp_server_slower_than_the_timeout_is_temporary(message: EmailMessage, tmp_path: Path) -> None:
    inbox = Inbox(delay_seconds=2)
    with serving(inbox) as settings, pytest.raises(MailFailed) as failed:
        deliver(settings.model_copy(update={"timeout_seconds": 0.2}), tmp_path, message, [OPS])
    assert failed.value.temporary
    assert failed.value.refused == {}


def test_smtp_server_that_drags_out_every_word_is_left_when_the_time_is_over(message: EmailMessage, tmp_path: Path) -> None:
    """Each word comes in time, so no wait is too long, but all of them together are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                while True:
                    connection.sendall(b"220-welcome\r\n")
                    time.sleep(0.02)

        Thread(target=drip, daemon=True).start()
        settings = settings_for(listener.getsockname()[1]).model_copy(update={"timeout_seconds": 0.3})
        with pytest.raises(MailFailed) as failed:  # it would drip for ever
            deliver(settings, tmp_path, message, [OPS])
    assert failed.value.temporary


def test_smtp_disconnect_after_the_text_is_temporary_and_retried_under_one_message_id(
    message: EmailMessage, tmp_path: Path
) -> None:
    inbox = Inbox(hang_up=True)
    with serving(inbox) as settings:
        with pytest.raises(MailFailed) as failed:
            deliver(settings, tmp_path, message, [OPS])
        assert failed.value.temporary
        assert failed.value.refused == {}
        inbox.hang_up = False
        deliver(settings, tmp_path, message, [OPS])
    first, second = (content for _, _, content in inbox.taken)
    assert first == second
    assert message["Message-ID"].encode() in first


def test_smtp_rude_farewell_after_acceptance_is_no_failure(message: EmailMessage, tmp_path: Path) -> None:
    """Raising here would send the accepted message a second time."""
    inbox = Inbox(quit="451 not now")
    with serving(inbox) as settings:
        with smtplib.SMTP(settings.host, settings.port) as session:
            assert session.quit()[0] == 451
        deliver(settings, tmp_path, message, [OPS])
    assert len(inbox.taken) == 1


def test_smtp_nobody_to_send_to(message: EmailMessage, tmp_path: Path) -> None:
    with pytest.raises(MailFailed, match="no recipient") as failed:
        deliver(settings_for(1), tmp_path, message, [])
    assert not failed.value.temporary


# --- Maildir --------------------------------------------------------------------------------------

MAILDIR = MailSettings(sender=SENDER, path="mail")


def stored(home: Path) -> list[str]:
    """Names of all messages, wherever a mail reader may have put them; tmp/ must be empty."""
    assert list((home / "mail" / "tmp").iterdir()) == []
    return sorted(file.name for part in ("new", "cur") for file in (home / "mail" / part).iterdir())


def test_maildir_is_readable(message: EmailMessage, tmp_path: Path) -> None:
    deliver(MAILDIR, tmp_path, message, [OPS, DATA])
    (read,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert read["Subject"] == "Northwind Outdoor Server-To-Server Processing Result: 1001/1002 5f0c2a9e"
    (name,) = stored(tmp_path)
    assert (tmp_path / "mail" / "new" / name).read_bytes() == message.as_bytes()


def test_maildir_delivering_twice_leaves_one(message: EmailMessage, tmp_path: Path) -> None:
    for _ in range(2):
        deliver(MAILDIR, tmp_path, message, [OPS])
    (name,) = stored(tmp_path)
    assert name.startswith("receipt.2026-01-05.acme.1001-1002.b1.r1.")


@pytest.mark.parametrize("flags", ["", ":2,", ":2,FRS"])
def test_maildir_delivering_again_after_reading(message: EmailMessage, tmp_path: Path, flags: str) -> None:
    deliver(MAILDIR, tmp_path, message, [OPS])
    (name,) = stored(tmp_path)
    (tmp_path / "mail" / "new" / name).rename(tmp_path / "mail" / "cur" / f"{name}{flags}")
    deliver(MAILDIR, tmp_path, message, [OPS])
    assert stored(tmp_path) == [f"{name}{flags}"]


def test_maildir_another_revision_is_another(receipt_of: Callable[..., Receipt], tmp_path: Path) -> None:
    for revision in (1, 2):
        message = receipt_mail(receipt_of(revision=revision), SENDER, [OPS], "Northwind Outdoor")
        deliver(MAILDIR, tmp_path, message, [OPS])
    assert len(stored(tmp_path)) == 2


@pytest.mark.parametrize("identifier", ["<../../etc/x:y@h>", "<.hidden@h>", "<" + "long" * 200 + "@h>"])
def test_maildir_name_stays_inside(tmp_path: Path, identifier: str) -> None:
    message = EmailMessage()
    message["Message-ID"] = identifier
    for _ in range(2):
        deliver(MAILDIR, tmp_path, message, [OPS])
    (name,) = stored(tmp_path)
    assert len(name) < 200 and ":" not in name and not name.startswith(".")
    assert [path.name for path in tmp_path.iterdir()] == ["mail"]


def test_maildir_that_cannot_be_written_is_temporary(message: EmailMessage, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(MailFailed, match="cannot write to the Maildir") as failed:
        deliver(MAILDIR, tmp_path, message, [OPS])
    assert failed.value.temporary


def test_message_without_id_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        deliver(MAILDIR, tmp_path, EmailMessage(), [OPS])
