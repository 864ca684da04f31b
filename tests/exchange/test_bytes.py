"""From bytes to numbered lines: nothing is lost, whatever the bytes are. INB-35, INB-38, INB-39, INB-73."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.exchange.lines import numbered_lines

MAX = 102400


def read(content: bytes, chunk: int = 1 << 20) -> list[tuple[int, str, str | None]]:
    pieces = (content[start : start + chunk] for start in range(0, len(content), chunk))
    rows = [row for batch in numbered_lines(pieces) for row in batch.to_pylist()]
    return [(row["line_no"], row["text"], row["flaw"]) for row in rows]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n   \n", []),
        (b"a\tb", [(1, "a\tb", None)]),
        (b"a\r\nb\nc\r", [(1, "a", None), (2, "b", None), (3, "c", None)]),
        (b"a\rb\n", [(1, "a\rb", "control_char")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", [(1, "a", None), (2, "\ufeffb", None)]),
        (b"\xef\xbb\xbf", []),
        (b"\n\na", [(3, "a", None)]),
        (b"nul\x00\tk\n", [(1, "nul\x00\tk", "control_char")]),
        (b"del\x7f\n", [(1, "del\x7f", "control_char")]),
        ("c1\x85\n".encode(), [(1, "c1\x85", "control_char")]),
        (b"bad\xc3\x28\tk\n", [(1, "bad\\xc3(\tk", "bad_encoding")]),
        (b"surrogate\xed\xa0\x80\n", [(1, "surrogate\\xed\\xa0\\x80", "bad_encoding")]),
        (b"a\tk\xc3\n\xa4b\tk\n", [(1, "a\tk\\xc3", "bad_encoding"), (2, "\\xa4b\tk", "bad_encoding")]),
        (b"long\xf0\x9f\x92\n", [(1, "long\\xf0\\x9f\\x92", "bad_encoding")]),
        ("ü\u2028\u0001".encode(), [(1, "ü\u2028\x01", "control_char")]),
    ],
)
def test_INB_38_39_73_bytes(content: bytes, expected: list[tuple[int, str, str | None]]) -> None:
    for chunk in (1, 2, 3, 1 << 20):
        assert read(content, chunk) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_INB_35_the_limit_is_inclusive_and_without_the_line_end(end: bytes) -> None:
    assert [flaw for _, _, flaw in read(b"x" * MAX + end)] == [None]
    assert [flaw for _, _, flaw in read(b"x" * (MAX + 1) + end)] == ["line_too_long"]
    assert [(n, flaw) for n, _, flaw in read(b"x" * (MAX + 1) + b"\ny\n")] == [(1, "line_too_long"), (2, None)]


@pytest.mark.parametrize("end", [b"", b"\nnext\n"])
def test_INB_35_a_line_of_40_MB_is_one_line_and_takes_no_memory(end: bytes) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"user\t"
        for _ in range(640):
            yield b"k" * (64 << 10)
        yield end

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = [(row["line_no"], row["flaw"], len(row["text"])) for batch in numbered_lines(chunks()) for row in batch.to_pylist()]
    assert rows[0][:2] == (1, "line_too_long")
    assert rows[0][2] <= 400
    assert rows[1:] == ([(2, None, 4)] if end else [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_INB_39_every_physical_line_is_numbered_or_blank_and_chunks_do_not_matter(content: bytes, chunk: int) -> None:
    rows = read(content)
    assert read(content, chunk) == rows
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    held = [number for number, line in enumerate(lines, 1) if line.removesuffix(b"\r").strip(b" ")]
    assert [number for number, _, _ in rows] == held
