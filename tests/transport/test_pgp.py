"""Files made by the real gpg, read back in a stream: INB-24, INB-25, INB-40."""

from __future__ import annotations

import gzip
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bsync_assets.catalog.models import Limits, PgpSettings
from bsync_assets.transport import pgp
from bsync_assets.transport.pgp import PgpKey, load_key, make_key, public_part
from bsync_assets.transport.store import Contents, inspect, unpacked

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")

LIMITS = Limits()
LINES = b"".join(b"user%d\tk=%d\n" % (n, n * 7919 % 1000) for n in range(20_000))


@pytest.fixture(scope="module")
def key() -> PgpKey:
    return PgpKey(make_key("Demo", "bsync@example.com", None, "never"))


@pytest.fixture(scope="module")
def locked_key() -> PgpKey:
    return PgpKey(make_key("Demo", "bsync@example.com", "open sesame", "2y"), "open sesame")


class Sender:
    """A partner's gpg: has our public key."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--trust-model", "always", *arguments]
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout

    def encrypt(self, key: PgpKey, content: bytes, *options: str) -> bytes:
        self.gpg("--import", given=public_part(key).encode())
        return self.gpg(*options, "--recipient", "bsync@example.com", "--encrypt", given=content)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    made = Sender(Path("/tmp") / f"bsync-sender-{os.getpid()}-{time.monotonic_ns()}")  # a socket lies in it: a short path
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False, capture_output=True)
    shutil.rmtree(made.home, ignore_errors=True)  # its agent takes its sockets away at the same time


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files at any depth, whatever comes and goes meanwhile, but for those of other tests."""
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith("pytest-of-")]
        yield from (path for path in (Path(at) / name for name in names) if path.is_file())


def look(path: Path, content: bytes, key: PgpKey | None, limits: Limits = LIMITS) -> Contents:
    path.write_bytes(content)
    return inspect(path, None, "pgp", key, limits)


def test_INB_24_what_a_partner_encrypts_is_read(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    for options in ([], ["--armor"], ["--cipher-algo", "AES"], ["--cipher-algo", "AES256", "--compress-algo", "none"]):
        assert look(tmp_path / "f", sender.encrypt(key, LINES, *options), key) == Contents(20_000, None), options
        assert b"".join(unpacked(tmp_path / "f", None, key)) == LINES


def test_INB_24_a_passphrase_opens_the_key(tmp_path: Path, sender: Sender, locked_key: PgpKey) -> None:
    message = sender.encrypt(locked_key, LINES)
    assert look(tmp_path / "f", message, locked_key) == Contents(20_000, None)
    assert look(tmp_path / "f", message, PgpKey(locked_key.armored, "open seasame")) == Contents(0, "bad_pgp")
    assert "sesame" not in repr(locked_key)
    assert "PRIVATE" not in repr(locked_key)


def test_INB_24_only_AES(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    for cipher in ("3DES", "CAST5", "BLOWFISH", "TWOFISH", "CAMELLIA256"):
        message = sender.encrypt(key, LINES, "--cipher-algo", cipher)
        assert look(tmp_path / "f", message, key) == Contents(0, "bad_pgp"), cipher


def test_INB_40_wrong_key_or_none(tmp_path: Path, sender: Sender, key: PgpKey, locked_key: PgpKey) -> None:
    message = sender.encrypt(key, LINES)
    assert look(tmp_path / "f", message, locked_key) == Contents(0, "bad_pgp")
    assert look(tmp_path / "f", message, None) == Contents(0, "bad_pgp")


def test_INB_40_an_expired_key_lets_nothing_new_in_but_replays_are_read(tmp_path: Path, sender: Sender) -> None:
    short = PgpKey(make_key("Demo", "bsync@example.com", None, "seconds=3"))
    message = sender.encrypt(short, LINES)
    time.sleep(4)
    assert look(tmp_path / "f", message, short) == Contents(0, "bad_pgp")
    assert b"".join(unpacked(tmp_path / "f", None, short)) == LINES


def test_INB_40_cut_and_damaged_messages(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    message = sender.encrypt(key, LINES)
    rng = random.Random(40)
    for attempt in range(10):
        position = rng.randrange(600, len(message) - 1)
        flipped = message[:position] + bytes([message[position] ^ 1]) + message[position + 1 :]
        for damaged in (message[:position], flipped):
            assert look(tmp_path / "f", damaged, key) == Contents(0, "bad_pgp"), attempt
    assert look(tmp_path / "f", LINES, key) == Contents(0, "bad_pgp")


def test_INB_40_what_is_only_signed_or_locked_with_a_password_is_not_encrypted_for_us(
    tmp_path: Path, sender: Sender, key: PgpKey
) -> None:
    sender.gpg("--passphrase", "", "--quick-generate-key", "acme@example.com", "ed25519", "sign", "never")
    assert look(tmp_path / "f", sender.gpg("--sign", given=LINES), key) == Contents(0, "bad_pgp")
    assert look(tmp_path / "f", sender.gpg("--store", given=LINES), key) == Contents(0, "bad_pgp")
    password = sender.gpg("--pinentry-mode", "loopback", "--passphrase", "x", "--symmetric", given=LINES)
    assert look(tmp_path / "f", password, key) == Contents(0, "bad_pgp")
    assert look(tmp_path / "f", sender.encrypt(key, LINES, "--sign"), key) == Contents(20_000, None)


def test_INB_25_gzip_and_pgp(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    assert look(tmp_path / "f", sender.encrypt(key, gzip.compress(LINES)), key) == Contents(0, "gz_and_pgp")
    assert look(tmp_path / "f", gzip.compress(sender.encrypt(key, LINES)), key) == Contents(0, "gz_and_pgp")


def test_INB_32_a_message_that_expands_without_end_is_stopped(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    bomb = sender.encrypt(key, bytes(400 << 20), "--compress-algo", "zlib", "-z", "9")
    assert len(bomb) < 1 << 20
    assert look(tmp_path / "f", bomb, key) == Contents(0, "expands_too_far")
    assert look(tmp_path / "f", bomb, key, Limits(seconds_per_file=0.000001)) == Contents(0, "took_too_long")


def test_INB_40_no_plaintext_on_a_disk_and_no_gpg_left(
    tmp_path: Path, sender: Sender, key: PgpKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    message = sender.encrypt(key, b"needle-in-plain\tk=1\n" * 200_000)
    (tmp_path / "f").write_bytes(message)
    reading = unpacked(tmp_path / "f", None, key)
    next(reading)
    for path in (file for folder in (tmp_path, Path("/dev/shm"), pgp._home_of(key)) for file in files_below(folder)):
        with suppress(FileNotFoundError):  # another test's, which is gone by now
            assert b"needle-in-plain" not in path.read_bytes(), path
    reading.close()  # type: ignore[attr-defined]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [child for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "gpg"]


def test_INB_24_memory_stays_flat(tmp_path: Path, sender: Sender, key: PgpKey) -> None:
    (tmp_path / "f").write_bytes(
        sender.encrypt(key, random.Random(1).randbytes(96 << 20).hex().encode(), "--compress-algo", "none")
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = sum(len(chunk) for chunk in unpacked(tmp_path / "f", None, key))
    assert total == 192 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path, key: PgpKey, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PgpSettings(key_file="keys/platform.asc", key_env="TEST_PGP_KEY", passphrase_env="TEST_PGP_PASSPHRASE")
    assert load_key(settings, tmp_path) is None
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/platform.asc").write_text(key.armored)
    assert load_key(settings, tmp_path) == key
    monkeypatch.setenv("TEST_PGP_KEY", str(tmp_path / "elsewhere.asc"))
    assert load_key(settings, tmp_path) is None
    monkeypatch.setenv("TEST_PGP_KEY", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n...")
    monkeypatch.setenv("TEST_PGP_PASSPHRASE", "open sesame")
    assert load_key(settings, tmp_path) == PgpKey("-----BEGIN PGP PRIVATE KEY BLOCK-----\n...", "open sesame")


def test_what_a_killed_process_left_goes_with_the_next(key: PgpKey) -> None:
    script = (
        "import os, signal; from bsync_assets.transport import pgp; home = pgp._new_home();"
        "print(home, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert left.is_dir()
    pgp._remove_home(pgp._new_home(), os.getpid())
    assert not left.exists()
