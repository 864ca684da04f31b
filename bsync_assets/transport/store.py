"""The kept copies of inbound files, named by the hash of their bytes, and reading them unpacked.

A partner may overwrite or remove a file at any time; a day that is run again must read what it read before. So a file is
copied on first sight, and everything after the manifest reads the copy. Copies stay as they came, packed and encrypted: what is
in them is unpacked in a stream whenever they are read, and never written to a disk.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bsync_assets.catalog.models import Limits
from bsync_assets.transport.pgp import PgpKey, Undecryptable, decrypted

CHUNK_BYTES = 8 << 20
_PACKED_CHUNK_BYTES = 256 << 10
#: The ratio of INB-32's safety limit counts from here on: little files of equal lines pack very well.
_RATIO_COUNTS_FROM_BYTES = 256 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_START_BYTES = 512  # they tell UTF-16, and a BOM may come in pieces
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_DRAFT = ".draft-"


class Unreadable(ValueError):
    """The file as a whole cannot be processed; `code` is one of `reasons.FILE_REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Contents:
    """What one pass over a file shows: physical lines, or the reason why it is refused."""

    lines: int
    reject_reason: str | None


def clear_drafts(store: Path) -> None:
    """Make the store ready for new copies: remove what a process that was killed left. Only the one writer of the lake may."""
    store.mkdir(parents=True, exist_ok=True)
    for left in store.glob(f"{_DRAFT}*"):
        left.unlink()


def draft_path(store: Path) -> Path:
    """Where a file lies while it is fetched and looked at; there is one at a time, which bounds the space it takes."""
    return store / f"{_DRAFT}{os.getpid()}"


@contextmanager
def made_safe(draft: Path) -> Iterator[None]:
    """Do something while the disk takes a draft; after that it is whole also after a power cut."""
    with open(draft, "rb") as copy, ThreadPoolExecutor(1, thread_name_prefix="bsync-disk") as disk:
        written = disk.submit(os.fsync, copy.fileno())
        yield
        written.result()


def keep(draft: Path, store: Path, sha256: str) -> None:
    """Make a draft that was `made_safe` the kept copy with this hash; so a copy that is there is whole."""
    os.replace(draft, kept_path(store, sha256))


def kept_path(store: Path, sha256: str) -> Path:
    """Where the copy with this hash lies."""
    return store / sha256


def unpacked(path: Path, compression: str | None, key: PgpKey | None = None, *, fresh: bool = False) -> Iterator[bytes]:
    """The bytes of a file, unpacked and, given a key, decrypted, in chunks; some may be empty.

    Raises Unreadable at the end, or before, when the file is damaged, cut short or not for this key (INB-40). `fresh`: see
    `pgp.decrypted`.
    """
    if key is not None:
        try:
            yield from decrypted(path, key, fresh=fresh)
        except Undecryptable as error:
            raise Unreadable("bad_pgp") from error
    elif compression == "gz":
        yield from _gunzipped(path)
    else:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _gunzipped(path: Path) -> Iterator[bytes]:
    """All members of a gzip file; members may be padded with zeros. Length and CRC of each are verified."""
    stream = None
    with open(path, "rb") as file:
        pending = file.read(_PACKED_CHUNK_BYTES)
        while pending:
            if stream is None:
                stream = zlib.decompressobj(wbits=31)
            try:
                yield stream.decompress(pending, CHUNK_BYTES)
            except zlib.error as damage:
                raise Unreadable("bad_gzip") from damage
            if stream.eof:
                pending, stream = stream.unused_data.lstrip(b"\0"), None
            else:
                pending = stream.unconsumed_tail
            while not pending and (more := file.read(_PACKED_CHUNK_BYTES)):
                pending = more if stream is not None else more.lstrip(b"\0")
    if stream is not None:
        raise Unreadable("bad_gzip")


def inspect(path: Path, compression: str | None, encryption: str | None, key: PgpKey | None, limits: Limits) -> Contents:
    """Read a file once from end to end: it must unpack, be UTF-8 rather than UTF-16 or -32, and hold a line.

    Readers of query engines pass over damaged compression in silence, so length and CRC are verified here, before anything of
    the file is used. Limits end the reading as soon as they are passed. INB-25, INB-31, INB-32, INB-34, INB-38, INB-40.
    """
    size = path.stat().st_size
    if size == 0:
        return Contents(0, "empty_file")
    if size > (limits.packed_bytes if compression or encryption else limits.plain_bytes):
        return Contents(0, "file_too_large")
    with open(path, "rb") as file:
        is_gzip = file.read(2) == _GZIP_MAGIC
    if encryption is not None and (key is None or is_gzip):
        return Contents(0, "gz_and_pgp" if is_gzip else "bad_pgp")
    if is_gzip != (compression == "gz"):
        return Contents(0, "compression_mismatch")
    most = min(limits.expanded_bytes, max(limits.expanded_ratio * size, _RATIO_COUNTS_FROM_BYTES))
    chunks = unpacked(path, compression, key, fresh=True)
    try:
        return _look_through(chunks, most, limits.seconds_per_file, encryption is not None)
    except Unreadable as damage:
        return Contents(0, damage.code)
    finally:
        chunks.close()  # type: ignore[attr-defined]  # a generator; ends gpg at once


def _look_through(chunks: Iterator[bytes], most: int, seconds: float, was_encrypted: bool) -> Contents:
    """Count lines up to `most` bytes and for so many seconds; raises Unreadable for what cannot be read."""
    deadline = time.monotonic() + seconds
    lines, total, ends_with_lf, has_content = 0, 0, True, False
    start = b""
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise Unreadable("took_too_long")
        if not chunk:
            continue
        of_start = chunk[: _START_BYTES - len(start)]
        start += of_start
        total += len(chunk)
        if total > most:
            raise Unreadable("expands_too_far")
        lines += chunk.count(b"\n")
        ends_with_lf = chunk.endswith(b"\n")
        has_content = has_content or bool(chunk[len(of_start) :].strip(b" \r\n"))
    if was_encrypted and start.startswith(_GZIP_MAGIC):
        raise Unreadable("gz_and_pgp")
    if _is_wide(start):
        raise Unreadable("bad_encoding")
    if not (has_content or start.removeprefix(b"\xef\xbb\xbf").strip(b" \r\n")):
        return Contents(lines, "empty_file")
    return Contents(lines + (not ends_with_lf), None)


def _is_wide(start: bytes) -> bool:
    """UTF-16 or UTF-32, by its mark or by every second byte being zero."""
    if start.startswith(_WIDE_BOMS):
        return True
    zeros = max(start[0::2].count(0), start[1::2].count(0))
    return len(start) >= 8 and zeros * 10 >= len(start) * 4
