"""PGP: decrypting in a stream, and the platform's own key pair. The work is done by `gpg`.

gpg rather than pysequoia: it decrypts from a file into a pipe with flat memory (pysequoia decrypts whole messages in memory, or
into a file, and no plaintext may reach a disk), and it says which cipher was used, of which only AES is allowed (INB-24).

A private key is given to gpg in a home of its own, in memory where the system has such a folder, removed when the process ends;
what a killed process left is removed by the next one.
"""

from __future__ import annotations

import atexit
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bsync_assets.catalog.models import PgpSettings

_CHUNK_BYTES = 4 << 20
_STATUS_BYTES = 64 << 10
_AES = {"7", "8", "9"}  # RFC 9580: AES with 128, 192 and 256 bits
_PREFIX = "bsync-gpg-"
_COMMON = ("gpg", "--batch", "--no-tty", "--no-options", "--quiet", "--pinentry-mode", "loopback", "--trust-model", "always")


class PgpError(RuntimeError):
    """gpg is missing, or a key cannot be used; the message holds no secret."""


class Undecryptable(ValueError):
    """A message that cannot be decrypted with the key it was meant for: wrong or expired key, damaged, cut short, not AES."""


@dataclass(frozen=True)
class PgpKey:
    """A private key, armored, and its passphrase if it has one. Neither shows in its text form."""

    armored: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)


def load_key(settings: PgpSettings, home: Path) -> PgpKey | None:
    """The private key that the settings name: text or path in the environment variable, else the file; None if there is none.

    Raises PgpError for a file that is there and cannot be read.
    """
    given = os.environ.get(settings.key_env or "", "")
    passphrase = os.environ.get(settings.passphrase_env or "") or None
    if given.lstrip().startswith("-----BEGIN"):
        return PgpKey(given, passphrase)
    named = given or settings.key_file
    if not named:
        return None
    try:
        return PgpKey((home / named).read_text(encoding="ascii"), passphrase)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise PgpError("the file with the private PGP key cannot be read; it must be armored text") from None


def decrypted(path: Path, key: PgpKey, *, fresh: bool) -> Iterator[bytes]:
    """The plaintext of a message, in chunks. Nothing of it may be used before the last chunk came: only then is it verified.

    Given `fresh`, a key that has expired by now is refused; replays go on reading what was let in before. Raises Undecryptable.
    """
    read_status, write_status = os.pipe()
    command = [*_COMMON, "--status-fd", str(write_status), "--skip-verify", "--no-auto-key-retrieve", "--decrypt"]
    try:
        gpg = _start(key, command, write_status, path)
    finally:
        os.close(write_status)
    said = bytearray()
    try:
        yield from _output(gpg, read_status, said)
        code = gpg.wait()
    finally:
        gpg.kill()
        gpg.wait()
        os.close(read_status)
    lines = [line.split()[1:] for line in said.decode(errors="replace").splitlines() if line.startswith("[GNUPG:] ")]
    _verify(lines, code, _expired_keys(key) if fresh else frozenset())


def _output(gpg: subprocess.Popen[bytes], status: int, said: bytearray) -> Iterator[bytes]:
    """What gpg writes, in chunks, an empty one whenever it is silent for a second; `said` gets the end of what it reports.

    Both pipes are read at once: a message made for many keys has gpg report so much that it would wait for a reader for ever.
    """
    assert gpg.stdout is not None
    with selectors.DefaultSelector() as ready, gpg.stdout:
        ready.register(gpg.stdout, selectors.EVENT_READ)
        ready.register(status, selectors.EVENT_READ)
        held = bytearray()
        while ready.get_map():
            events = ready.select(timeout=1)
            if not events:
                yield b""
            for event, _ in events:
                piece = os.read(event.fd, _CHUNK_BYTES)
                if not piece:
                    ready.unregister(event.fileobj)
                elif event.fd == status:
                    said += piece
                    del said[:-_STATUS_BYTES]
                else:
                    held += piece
            if len(held) >= _CHUNK_BYTES:
                yield bytes(held)
                held.clear()
        yield bytes(held)


def _verify(said: list[list[str]], code: int, expired: frozenset[str]) -> None:
    """What gpg said of a message it decrypted must add up, or Undecryptable."""
    words = {line[0] for line in said if line}
    ciphers = {line[2] for line in said if line[:1] == ["DECRYPTION_INFO"] and len(line) > 2}
    keys = {word for line in said if line[:1] == ["DECRYPTION_KEY"] for word in line[1:3]}
    if code != 0 or "DECRYPTION_OKAY" not in words or "DECRYPTION_FAILED" in words:
        raise Undecryptable("it is damaged or encrypted to another key")
    if not ciphers <= _AES:
        raise Undecryptable("it is not encrypted with AES")
    if keys & expired:
        raise Undecryptable("the key it is encrypted to has expired")


def _start(key: PgpKey, command: list[str], status: int, source: Path) -> subprocess.Popen[bytes]:
    """Start gpg on a file, in the home of the key; the passphrase goes through a pipe, so that no list of processes shows it."""
    home = _home_of(key)
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, f"{key.passphrase or ''}\n".encode())
        with open(source, "rb") as message:
            return subprocess.Popen(
                [*command[:-1], "--passphrase-fd", str(read_end), command[-1]],
                stdin=message, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(status, read_end),
                env=_environment(home),
            )  # fmt: skip
    finally:
        os.close(write_end)
        os.close(read_end)


def _environment(home: Path) -> dict[str, str]:
    return {"GNUPGHOME": str(home), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _run(home: Path, arguments: list[str], given: str = "") -> str:
    """Run gpg to its end; raises PgpError, without what it printed: that could hold anything."""
    try:
        return subprocess.run(
            [*_COMMON, *arguments], input=given, capture_output=True, text=True, check=True, env=_environment(home)
        ).stdout
    except FileNotFoundError:
        raise PgpError("gpg is not installed; it is needed for .pgp and .gpg files") from None
    except subprocess.CalledProcessError:
        raise PgpError("gpg cannot use the PGP key; is it a private key in armored text, and the passphrase right?") from None


@cache
def _home_of(key: PgpKey) -> Path:
    """A home for gpg with this one key in it."""
    home = _new_home()
    _run(home, ["--import"], key.armored)
    return home


@cache
def _expiry_dates(key: PgpKey) -> dict[str, int]:
    """Fingerprint -> time of expiry (seconds, UTC) of the key and its subkeys that expire."""
    dates: dict[str, int] = {}
    expires = ""
    for line in _run(_home_of(key), ["--list-secret-keys", "--with-colons", "--fixed-list-mode"]).splitlines():
        kind, *fields = line.split(":")
        if kind in ("sec", "ssb"):
            expires = fields[5]
        elif kind == "fpr" and expires:
            dates[fields[8]] = int(expires)
    return dates


def _expired_keys(key: PgpKey) -> frozenset[str]:
    now = time.time()
    return frozenset(fingerprint for fingerprint, expires in _expiry_dates(key).items() if expires <= now)


def _new_home() -> Path:
    """An empty home for gpg that goes with the process; those of processes that are gone are removed first."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    for left in folder.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)  # its agent notices, and ends
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder))
    atexit.register(_remove_home, home, os.getpid())
    return home


def _remove_home(home: Path, owner: int) -> None:
    if os.getpid() == owner and home.exists():
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


# --- The platform's own key pair


def make_key(name: str, address: str, passphrase: str | None, expires: str) -> str:
    """A new private key for decrypting what partners send, armored. `expires` as gpg takes it: `2y`, `never`.

    RSA with 3072 bits, which every PGP program knows; its preferences ask senders for AES. Raises PgpError.
    """
    home = _new_home()
    secret, given = ["--passphrase-fd", "0"], f"{passphrase or ''}\n"
    prefer = ["--default-preference-list", "AES256 AES192 AES SHA512 SHA256 ZLIB ZIP Uncompressed"]
    try:
        _run(home, [*secret, *prefer, "--quick-generate-key", f"{name} <{address}>", "rsa3072", "sign", expires], given)
        fingerprint = next(
            line.split(":")[9] for line in _run(home, ["--list-keys", "--with-colons"]).splitlines() if line.startswith("fpr:")
        )
        _run(home, [*secret, "--quick-add-key", fingerprint, "rsa3072", "encr", expires], given)
        return _run(home, [*secret, "--armor", "--export-secret-keys"], given)
    finally:
        _remove_home(home, os.getpid())


def public_part(key: PgpKey) -> str:
    """What partners need to encrypt files for us, armored."""
    return _run(_home_of(key), ["--armor", "--export"])
