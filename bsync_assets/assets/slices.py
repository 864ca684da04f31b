"""Reading kept files a slice at a time: flat memory for any size of file, one pass of SQL for many small ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bsync_assets.exchange.data_lines import Slice
from bsync_assets.exchange.items import Texts, cut_lines, joined, texts_to_go_on_with
from bsync_assets.exchange.lines import numbered_lines
from bsync_assets.transport.pgp import PgpKey
from bsync_assets.transport.store import unpacked

SLICE_BYTES = 160 << 20

_NONE = np.zeros(0, dtype=np.int32)

log = logging.getLogger("bsync.slices")


@dataclass(frozen=True)
class ToRead:
    """A file to be read: its number within the day, where its bytes are, how they are packed, the key if encrypted, and how
    many columns stand before the payload of a data file.
    """

    file: int
    path: Path
    compression: str | None
    key: PgpKey | None = None
    columns: int = 0


def read_slices(con: duckdb.DuckDBPyConnection, files: Sequence[ToRead], slice_bytes: int = SLICE_BYTES) -> Iterator[Slice]:
    """Make the temp view `line(rec, file, line_no, text, flaw)` for one slice after the other, in the order of the files; lines
    of data files have the columns of their head too (see `data_lines`). All files are data files, or none is.

    Yields the tokens of the lines, and which file goes on in the next slice. At most two slices of lines are held at a time: the
    next one is read while the engine works on this one.
    """
    slices = _read(files, slice_bytes)
    with ThreadPoolExecutor(1, thread_name_prefix="bsync-lines") as reader:
        coming = reader.submit(next, slices, None)
        while (read := coming.result()) is not None:
            coming = reader.submit(next, slices, None)
            table, given = read
            con.register("line", table)
            try:
                yield given
            finally:
                con.unregister("line")
            del read, table, given


def _read(files: Sequence[ToRead], slice_bytes: int) -> Iterator[tuple[pa.Table, Slice]]:
    """Slices of lines, with their tokens."""
    texts, known = Texts(), 0
    cut: list[tuple[pa.RecordBatch, NDArray[np.int32]]] = []
    held = 0
    for position, source in enumerate(files):
        for batch in numbered_lines(unpacked(source.path, source.compression, source.key)):
            if held > (slice_bytes if known else slice_bytes // 4):  # the engine waits for the first one
                goes_on = cut[-1][0]["file"][0].as_py() == source.file
                table, tokens = joined(cut, texts, known)
                yield table, Slice(tokens, len(table), source.file if goes_on else None)
                texts = texts_to_go_on_with(texts)
                cut, held, known = [], 0, texts.count
            if len(batch):
                lines = batch.append_column("file", pa.array(np.full(len(batch), source.file, dtype=np.int32)))
                cut.append(cut_lines(lines, np.full(len(batch), source.columns), texts) if source.columns else (lines, _NONE))
                held += batch.nbytes
        if (position + 1) % 100 == 0:
            log.info("%d of %d files read", position + 1, len(files))
    if cut:
        table, tokens = joined(cut, texts, known)
        yield table, Slice(tokens, len(table))
