"""Physical lines: from the bytes of an unpacked file to numbered lines, with the flaws that only bytes can show.

Readers of the big engines skip blank lines uncounted, choke on long ones and guess at line ends, so the split is ours:
every physical line comes out here as a numbered line or is counted as blank, nothing else (INB-39, IDS-50).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from bsync_assets.exchange.octets import AT_ONCE, EACH, NONE, Octets, Offsets, Words, count_octet, first_of, words_of, zeros

MAX_LINE_BYTES = 102400  # INB-35, IDS-57: without LF or CRLF
_SAMPLE_BYTES = 400  # what is kept of a line over the limit: enough for its user ID and a masked sample
_TAB, _LF, _BLANK, _DELETE = 9, 10, 32, 127
_LFS = np.uint64(_LF) * EACH
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_BOM = b"\xef\xbb\xbf"

#: Columns of what `numbered_lines` yields. `flaw` is null, `line_too_long`, `bad_encoding` or `control_char`; the text of
#: a line that is not UTF-8 has the offending bytes written as `\xfc`.
SCHEMA = pa.schema([("line_no", pa.int64()), ("text", pa.large_string()), ("flaw", pa.string())])


def numbered_lines(chunks: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    """The non-blank lines of one unpacked file, numbered from 1 over all its lines, in batches of about a chunk.

    LF or CRLF ends a line, the last end is optional, a BOM at the start is dropped. Memory: a few times the largest chunk,
    also for a line without end. INB-35, INB-38, INB-39, INB-73; IDS-50, IDS-51, IDS-57.
    """
    line_no = 1
    rest = b""
    start_of_file = True
    for chunk in chunks:
        text = rest + chunk
        if start_of_file:
            if len(text) < len(_BOM):
                rest = text
                continue
            text, start_of_file = text.removeprefix(_BOM), False
        body, end, rest = text.rpartition(b"\n")
        if len(rest) > MAX_LINE_BYTES:  # too long whatever follows: do not let it grow
            rest = rest[: MAX_LINE_BYTES + 2]
        if end:
            batch, lines = _batch(_with_plain_ends(body), line_no)
            line_no += lines
            yield batch
    rest = rest.removeprefix(_BOM) if start_of_file else rest
    if rest:
        yield _batch(_with_plain_ends(rest), line_no)[0]


def _with_plain_ends(body: bytes) -> bytes:
    """`body` with LF for CRLF, and without a CR at its end."""
    return body.replace(b"\r\n", b"\n").removesuffix(b"\r") if b"\r" in body else body


def _batch(body: bytes, first_line: int) -> tuple[pa.RecordBatch, int]:
    """(lines of `body` that are not blank, number of lines in `body`); `body` has no final LF."""
    octets = np.frombuffer(body, np.uint8)
    count = count_octet(octets, _LF) + 1
    start, text = np.zeros(count + 1, np.int64), np.empty(len(body) + AT_ONCE, np.uint8)
    _join(octets, words_of(octets), start, text, words_of(text))
    raw = pa.Array.from_buffers(pa.large_binary(), count, [None, pa.py_buffer(start), pa.py_buffer(text)])
    length = np.diff(start)
    blank = length == 0
    for i in np.flatnonzero(pc.starts_with(raw, pattern=b" ").to_numpy(zero_copy_only=False)):
        blank[i] = not raw[i].as_py().strip(b" ")
    texts: dict[int, str] = {}
    flaws: dict[int, str] = {}
    for i in np.flatnonzero(length > MAX_LINE_BYTES):
        flaws[int(i)] = "line_too_long"
        texts[int(i)] = raw[i].as_py()[:_SAMPLE_BYTES].decode("utf-8", "backslashreplace")
    _find_flaws(body, raw, texts, flaws)
    if texts:
        mask = np.zeros(count, dtype=bool)
        mask[list(texts)] = True
        new = pa.array([texts[i].encode() for i in sorted(texts)], pa.large_binary())
        raw = pc.replace_with_mask(raw, mask, new)
    flaw = pa.nulls(count, pa.string())
    if flaws:
        mask = np.zeros(count, dtype=bool)
        mask[list(flaws)] = True
        flaw = pc.replace_with_mask(flaw, mask, pa.array([flaws[i] for i in sorted(flaws)]))
    numbers = pa.array(np.arange(first_line, first_line + count, dtype=np.int64))
    batch = pa.RecordBatch.from_arrays([numbers, raw.cast(pa.large_string(), safe=False), flaw], schema=SCHEMA)
    return (batch.filter(pa.array(~blank)) if blank.any() else batch), count


def _find_flaws(text: bytes, raw: pa.LargeBinaryArray, texts: dict[int, str], flaws: dict[int, str]) -> None:
    """Add the lines that are not UTF-8 or hold a control character; looks at single lines only where the text has one."""
    is_plain = not _has_control(np.frombuffer(text, np.uint8))
    if is_plain and (text.isascii() or (_is_utf8(text) and not _CONTROL.search(text))):
        return
    for i, line in enumerate(raw.to_pylist()):
        if i in flaws:
            continue
        try:
            line.decode()
        except UnicodeDecodeError:
            flaws[i] = "bad_encoding"
            texts[i] = line.decode("utf-8", "backslashreplace")
            continue
        if _CONTROL.search(line):
            flaws[i] = "control_char"


@njit(cache=True, nogil=True)
def _join(octets: Octets, words: Words, start: Offsets, text: Octets, text_words: Words) -> None:
    """Put the lines one behind the other, and where each begins and ends. What is written too far is written over."""
    line, at, end = 0, 0, 0
    while at < len(words):
        text_words[end] = words[at]
        line_end = zeros(words[at] ^ _LFS)
        if line_end == NONE:
            at, end = at + AT_ONCE, end + AT_ONCE
        else:
            length = int(first_of(line_end))
            at, end = at + length + 1, end + length
            line += 1
            start[line] = end
    for octet in octets[at:]:
        if octet == _LF:
            line += 1
            start[line] = end
        else:
            text[end] = octet
            end += 1
    start[line + 1] = end


@njit(cache=True, nogil=True)
def _has_control(octets: Octets) -> bool:
    """Whether there is a control character of one octet, other than the ends of lines and TABs."""
    found = False
    for octet in octets:
        found |= ((octet < _BLANK) & (octet != _LF) & (octet != _TAB)) | (octet == _DELETE)
    return found


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
