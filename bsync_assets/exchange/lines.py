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

MAX_LINE_BYTES = 102400  # INB-35, IDS-57: without LF or CRLF
_SAMPLE_BYTES = 400  # what is kept of a line over the limit: enough for its user ID and a masked sample
_LF, _BLANK, _DELETE = 10, 32, b"\x7f"
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
            batch, lines = _batch(body.replace(b"\r\n", b"\n").removesuffix(b"\r"), line_no)
            line_no += lines
            yield batch
    rest = rest.removeprefix(_BOM) if start_of_file else rest
    if rest:
        yield _batch(rest.replace(b"\r\n", b"\n").removesuffix(b"\r"), line_no)[0]


def _batch(body: bytes, first_line: int) -> tuple[pa.RecordBatch, int]:
    """(lines of `body` that are not blank, number of lines in `body`); `body` has no final LF."""
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == _LF)
    count = len(ends) + 1
    text = body.replace(b"\n", b"")
    start = np.concatenate(([0], ends - np.arange(count - 1), [len(text)]))
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
    _find_flaws(text, raw, texts, flaws)
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
    characters = np.frombuffer(text, np.uint8)
    is_plain = np.count_nonzero(characters < _BLANK) == text.count(b"\t") and _DELETE not in text
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


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
