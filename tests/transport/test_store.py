"""Unpacking is verified before anything is used, and stops at its limits: INB-25, INB-31 to INB-40."""

from __future__ import annotations

import gzip
import random
import zlib
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.catalog.models import Limits
from bsync_assets.transport import store
from bsync_assets.transport.store import Contents, inspect, unpacked

LIMITS = Limits()
LINES = b"".join(b"user%d\tk=%d\n" % (n, n * 7919 % 1000) for n in range(20_000))


def look(path: Path, content: bytes, compression: str | None = "gz", limits: Limits = LIMITS) -> Contents:
    path.write_bytes(content)
    return inspect(path, compression, None, None, limits)


def test_INB_40_a_whole_gzip_file_is_let_in_with_its_lines_counted(tmp_path: Path) -> None:
    assert look(tmp_path / "f", gzip.compress(LINES)) == Contents(20_000, None)
    assert look(tmp_path / "f", gzip.compress(LINES[:-1])) == Contents(20_000, None)


def test_INB_40_two_hundred_random_cuts_and_corruptions_are_all_found(tmp_path: Path) -> None:
    rng = random.Random(40)
    packed = gzip.compress(LINES, mtime=0)
    for attempt in range(200):
        if attempt % 2:
            damaged = packed[: rng.randrange(3, len(packed) - 1)]
        else:
            # The header's time, flags for the extra fields and the name of the system may say anything: they are no content.
            position = rng.randrange(10, len(packed))
            damaged = packed[:position] + bytes([packed[position] ^ (1 << rng.randrange(8))]) + packed[position + 1 :]
        assert look(tmp_path / "f", damaged) == Contents(0, "bad_gzip"), f"attempt {attempt}"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.integers(0, 40))
def test_INB_40_members_and_padding_read_as_one_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], pad: int
) -> None:
    path = tmp_path_factory.mktemp("members") / "f"
    path.write_bytes(b"".join(gzip.compress(part) + bytes(pad) for part in parts))
    assert b"".join(unpacked(path, "gz")) == b"".join(parts)


def test_INB_40_garbage_after_the_last_member_is_found_however_far_behind(tmp_path: Path) -> None:
    assert look(tmp_path / "f", gzip.compress(LINES) + b"garbage") == Contents(0, "bad_gzip")
    assert look(tmp_path / "f", gzip.compress(LINES) + bytes(2_000_000) + b"garbage") == Contents(0, "bad_gzip")
    assert look(tmp_path / "f", gzip.compress(LINES) + bytes(2_000_000)) == Contents(20_000, None)


def test_INB_32_a_gzip_bomb_is_stopped_early(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()
    limits = Limits(expanded_bytes=600 << 20)
    assert len(bomb) < 2 << 20
    assert look(tmp_path / "f", bomb) == Contents(0, "expands_too_far")  # by its ratio
    assert look(tmp_path / "f", bomb, limits=limits) == Contents(0, "expands_too_far")
    assert all(len(chunk) <= store.CHUNK_BYTES for chunk in islice(unpacked(tmp_path / "f", "gz"), 40))


def test_INB_32_time_per_file_is_limited_also_for_members_without_content(tmp_path: Path) -> None:
    empties = gzip.compress(b"") * 50_000 + gzip.compress(LINES)
    assert look(tmp_path / "f", empties, limits=Limits(seconds_per_file=0.01)) == Contents(0, "took_too_long")
    assert look(tmp_path / "f", gzip.compress(b"") * 500 + gzip.compress(LINES)) == Contents(20_000, None)


def test_INB_31_sizes_are_limited_inclusively(tmp_path: Path) -> None:
    limits = Limits(plain_bytes=100, packed_bytes=200)
    line = b"a\tb\n" * 25
    assert look(tmp_path / "f", line, None, limits) == Contents(25, None)
    assert look(tmp_path / "f", line + b"\n", None, limits) == Contents(0, "file_too_large")
    packed = gzip.compress(random.Random(1).randbytes(300))
    assert look(tmp_path / "f", packed, "gz", limits) == Contents(0, "file_too_large")


@pytest.mark.parametrize(
    ("content", "compression", "expected"),
    [
        (b"", None, "empty_file"),
        (b"\n\r\n  \n", None, "empty_file"),
        (b"\xef\xbb\xbf", None, "empty_file"),
        (b"\xef\xbb\xbf\n \n", None, "empty_file"),
        (gzip.compress(b"\n\n", mtime=0), "gz", "empty_file"),
        (gzip.compress(b"", mtime=0), "gz", "empty_file"),
        (b"".join(gzip.compress(piece, mtime=0) for piece in (b"\xef", b"\xbb\xbf\n", b" \n")), "gz", "empty_file"),
        (gzip.compress(LINES, mtime=0), None, "compression_mismatch"),
        (b"a\tb\n", "gz", "compression_mismatch"),
        ("a\tb\n".encode("utf-16"), None, "bad_encoding"),
        ("a\tb\nc\td\n".encode("utf-16-le"), None, "bad_encoding"),
        ("a\tb\nc\td\n".encode("utf-16-be"), None, "bad_encoding"),
        ("a\tb\n".encode("utf-32"), None, "bad_encoding"),
        (gzip.compress("a\tb\n".encode("utf-16"), mtime=0), "gz", "bad_encoding"),
    ],
)
def test_INB_34_38_40_files_refused_as_a_whole(tmp_path: Path, content: bytes, compression: str | None, expected: str) -> None:
    assert look(tmp_path / "f", content, compression).reject_reason == expected


def test_INB_40_drafts_of_a_killed_process_are_cleared_and_copies_are_not(tmp_path: Path) -> None:
    (tmp_path / ".draft-4711").write_bytes(b"half")
    (tmp_path / "ab12").write_bytes(b"whole")
    store.clear_drafts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ab12"]
