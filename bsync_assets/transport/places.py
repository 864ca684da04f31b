"""Places where files lie, all handled alike: a folder, a bucket on S3, an SFTP server. One `Place`, opened by its address.

Addresses hold no secrets; they name where the secret is:

- `inbox` or `/srv/inbox`: a folder, relative ones below the workspace;
- `s3://bucket/prefix`: the usual credential chain of AWS (environment, profile, role). Any other service that speaks S3 with
  `?endpoint=https://host`; `?region=` and `?profile=` too;
- `sftp://user@host:port/folder`: `?password_env=NAME` or `?key_env=NAME` (a private key or the path of one), else the SSH agent
  and the user's keys. The host key is pinned by `?host_key=SHA256:...` (comma between several), else it must be in `known_hosts`.

What is in the files, and what their names mean, is no concern of this room.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

#: How often a transfer that breaks is taken up again, and the pause before the first retry; later ones wait longer.
ATTEMPTS = 5
PAUSE_SECONDS = 0.5
_HURRY_BYTES = 64 << 20


class PlaceError(OSError):
    """A place cannot be reached or refuses. `passing` = trying again may help; the message holds no secret."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class TransferRefused(ValueError):
    """A file is not fetched to its end; `code` is one of `reasons.FILE_REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class FileChanged(PlaceError):
    """The file is not the one that was listed: it is still being written, was replaced or removed."""


@dataclass(frozen=True)
class Found:
    """One file of a place: its name below it, size in bytes, last modification (UTC, without zone), entity tag on S3."""

    name: str
    size: int
    modified_at: datetime
    etag: str | None = None


class Place(Protocol):
    """A folder of files under one address. Names are relative, with `/`; every method may raise PlaceError."""

    #: The address as it may be shown: no secrets, no parameters.
    shown: str
    #: Whether files appear whole, so that nobody can see one that is still being written.
    appears_whole: bool
    #: Whether partners sort their files into folders by day; over SFTP there are none (INB-05).
    has_day_folders: bool

    def files(self, prefix: str = "") -> Iterator[Found]:
        """The regular files below the folder `prefix` at any depth, in no certain order; no folder, no files.

        Hidden files and links are passed over, links to folders are not followed. A bucket may hold names that are no proper ones
        (`proper_name`): they are listed, to be recorded, and cannot be read.
        """

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None if there is none of this name."""

    def read(self, file: Found, offset: int) -> Iterator[bytes]:
        """The bytes of the file from `offset` on, in chunks; FileChanged if it can tell that the file is another by now."""

    def md5(self, file: Found) -> str | None:
        """The MD5 of the file's bytes in hex, if the place knows it without reading them."""

    def put(self, source: Path, name: str) -> None:
        """Deliver a local file: nobody sees it under its name before it is whole; an older one is replaced. Verified by size."""

    def rename(self, old: str, new: str) -> None:
        """Give a file a new name; one that has that name is replaced."""

    def remove(self, name: str) -> None:
        """Remove a file; none of that name is fine."""

    def close(self) -> None:
        """Let go of connections."""


def open_place(address: str, home: Path) -> Place:
    """The place at this address; folders that are not absolute lie below `home`. Nothing is connected before it is used.

    Raises PlaceError for an address that cannot be meant.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        from bsync_assets.transport.folder import Folder

        return Folder(home / address)
    if scheme == "s3":
        from bsync_assets.transport.s3 import Bucket

        return Bucket(address)
    if scheme == "sftp":
        from bsync_assets.transport.sftp import SftpFolder

        return SftpFolder(address)
    raise PlaceError(f"{scheme}:// is no place for files; expected a folder, s3:// or sftp://")


def fetch(place: Place, file: Found, target: Path, *, max_bytes: int | None = None, max_seconds: float | None = None) -> str:
    """Copy a file of a place to the new local file `target` in a stream and answer the SHA-256 of its bytes.

    A transfer that breaks goes on where it stopped. The copy has the size that was listed and, where the place
    knows it, the MD5. Raises FileChanged if not, PlaceError if the place fails for good, and TransferRefused `file_too_large` or
    `took_too_long` as soon as a limit is passed; then there is no `target`.
    """
    if max_bytes is not None and file.size > max_bytes:
        raise TransferRefused("file_too_large")
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    expected = place.md5(file)
    content, digest = hashlib.sha256(), None if expected is None else hashlib.md5(usedforsecurity=False)
    copied, failures = 0, 0
    try:
        with open(target, "xb") as copy, _written_meanwhile(copy) as hurry, _hashed_meanwhile(content, digest) as take:
            while copied < file.size:
                try:
                    for chunk in place.read(file, copied):
                        take(chunk)
                        copy.write(chunk)
                        copied += len(chunk)
                        hurry(copied)
                        if copied > file.size:
                            raise FileChanged(f"{file.name} grew while it was read")
                        if deadline is not None and time.monotonic() > deadline:
                            raise TransferRefused("took_too_long")
                        failures = 0
                    if copied < file.size:
                        raise PlaceError(f"{file.name} ended after {copied} of {file.size} bytes", passing=True)
                except PlaceError as error:
                    failures += 1
                    if not error.passing or failures >= ATTEMPTS:
                        raise
                    time.sleep(PAUSE_SECONDS * 2 ** (failures - 1))
        if digest is not None and digest.hexdigest() != expected:
            raise FileChanged(f"{file.name} differs from its checksum")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return content.hexdigest()


@contextmanager
def _written_meanwhile(copy: BinaryIO) -> Iterator[Callable[[int], None]]:
    """Have the disk write what is there of a copy while more comes in: little is left to wait for when it must be safe."""
    with ThreadPoolExecutor(1, thread_name_prefix="bsync-disk") as disk:
        writing: Future[None] | None = None
        begun = 0

        def hurry(copied: int) -> None:
            nonlocal writing, begun
            if copied - begun >= _HURRY_BYTES and (writing is None or writing.done()):
                begun = copied
                writing = disk.submit(os.fdatasync, copy.fileno())

        yield hurry


@contextmanager
def _hashed_meanwhile(*hashes: hashlib._Hash | None) -> Iterator[Callable[[bytes], None]]:
    """Hash what is taken in while more is read and written; at most one piece waits. All is hashed at the end."""
    with ThreadPoolExecutor(1, thread_name_prefix="bsync-hash") as hasher:
        hashing: list[Future[None]] = []

        def take(chunk: bytes) -> None:
            while hashing:
                hashing.pop().result()
            hashing.extend(hasher.submit(each.update, chunk) for each in hashes if each is not None)

        yield take


def is_proper_name(name: str) -> bool:
    """Whether a name stays below its place: no `..`, no absolute path, no NUL, no empty part."""
    return "\0" not in name and not any(part in ("", ".", "..") for part in name.split("/"))


def proper_name(name: str) -> str:
    """The name, if it is a proper one; raises PlaceError if not."""
    if not is_proper_name(name):
        raise PlaceError(f"{name[:200]!r} is not the name of a file below a place")
    return name


def draft_name(name: str, process: int | None = None) -> str:
    """The name of a file in the same folder while it is being written (by another process); listings pass it over."""
    path = PurePosixPath(name)
    return str(path.with_name(f".{path.name[-55:]}.{process or os.getpid()}.part"))  # 255 bytes, whatever the characters
