"""The kept copies of inbound files, named by the hash of their bytes, and reading them unpacked.

A partner may overwrite or remove a file at any time; a day that is run again must read what it read before. So a file is
copied on first sight, and everything after the manifest reads the copy.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 8 << 20
#: Limits of INB-31 and INB-32; the last one is the safety limit for what a gzip file may expand to.
MAX_PACKED_BYTES = 3 << 30
MAX_PLAIN_BYTES = 5 << 30
MAX_EXPANDED_BYTES = 20 << 30
_GZIP_MAGIC = b"\x1f\x8b"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


class Unreadable(ValueError):
    """The file as a whole cannot be processed; `code` is one of `reasons.FILE_REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Contents:
    """What one pass over a kept file shows: physical lines, or the reason why it is refused."""

    lines: int
    reject_reason: str | None


def keep(source: Path, store: Path) -> tuple[str, int]:
    """Copy a file into the store; answers (SHA-256 of its bytes, size). Atomic: a copy that is there is whole."""
    store.mkdir(parents=True, exist_ok=True)
    draft = store / f".draft-{os.getpid()}"
    digest, size = hashlib.sha256(), 0
    with open(source, "rb") as original, open(draft, "wb") as copy:
        while chunk := original.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
    name = digest.hexdigest()
    os.replace(draft, kept_path(store, name))
    return name, size


def kept_path(store: Path, sha256: str) -> Path:
    """Where the copy with this hash lies."""
    return store / sha256


def unpacked(path: Path, compression: str | None) -> Iterator[bytes]:
    """The bytes of a kept file, unpacked, in chunks. Raises Unreadable when the gzip stream is damaged or cut short (INB-40)."""
    with open(path, "rb") as file:
        if compression is None:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            return
        stream = zlib.decompressobj(wbits=31)
        pending = file.read(CHUNK_BYTES)
        while pending:
            try:
                chunk = stream.decompress(pending, CHUNK_BYTES)
            except zlib.error as damage:
                raise Unreadable("bad_gzip") from damage
            if chunk:
                yield chunk
            pending = stream.unconsumed_tail or stream.unused_data or file.read(CHUNK_BYTES)
            if stream.eof and pending:
                pending = pending.lstrip(b"\0") or file.read(CHUNK_BYTES).lstrip(b"\0")  # members may be padded with zeros
                if pending:
                    stream = zlib.decompressobj(wbits=31)
        if not stream.eof:
            raise Unreadable("bad_gzip")


def inspect(path: Path, compression: str | None) -> Contents:
    """Read a kept file once from end to end: it must unpack, be UTF-8 rather than UTF-16 or -32, and hold a line.

    Readers of query engines pass over damaged compression in silence, so length and CRC are verified here, before anything of
    the file is used. INB-31, INB-32, INB-34, INB-38, INB-40.
    """
    size = path.stat().st_size
    if size == 0:
        return Contents(0, "empty_file")
    if size > (MAX_PACKED_BYTES if compression else MAX_PLAIN_BYTES):
        return Contents(0, "file_too_large")
    with open(path, "rb") as file:
        is_gzip = file.read(2) == _GZIP_MAGIC
    if is_gzip != (compression == "gz"):
        return Contents(0, "compression_mismatch")
    lines, total, ends_with_lf, has_content = 0, 0, True, False
    try:
        for chunk in unpacked(path, compression):
            if total == 0 and _is_wide(chunk):
                return Contents(0, "bad_encoding")
            total += len(chunk)
            if total > MAX_EXPANDED_BYTES:
                return Contents(0, "expands_too_far")
            lines += chunk.count(b"\n")
            ends_with_lf = chunk.endswith(b"\n")
            has_content = has_content or bool(chunk.removeprefix(b"\xef\xbb\xbf").strip(b" \r\n"))
    except Unreadable as damage:
        return Contents(0, damage.code)
    if not has_content:
        return Contents(lines, "empty_file")
    return Contents(lines + (not ends_with_lf), None)


def _is_wide(start: bytes) -> bool:
    """UTF-16 or UTF-32, by its mark or by every second byte being zero."""
    if start.startswith(_WIDE_BOMS):
        return True
    head = start[:512]
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    return len(head) >= 8 and zeros * 10 >= len(head) * 4
