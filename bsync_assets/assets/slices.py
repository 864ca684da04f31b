"""Reading kept files a slice at a time: flat memory for any size of file, one pass of SQL for many small ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from bsync_assets.exchange.lines import numbered_lines
from bsync_assets.transport.pgp import PgpKey
from bsync_assets.transport.store import unpacked

SLICE_BYTES = 160 << 20

log = logging.getLogger("bsync.slices")


@dataclass(frozen=True)
class ToRead:
    """A file to be read: its number within the day, where its bytes are, how they are packed, and the key if encrypted."""

    file: int
    path: Path
    compression: str | None
    key: PgpKey | None = None


def read_slices(con: duckdb.DuckDBPyConnection, files: Sequence[ToRead], slice_bytes: int = SLICE_BYTES) -> Iterator[int | None]:
    """Make the temp view `line(rec, file, line_no, text, flaw)` for one slice after the other, in the order of the files.

    Yields the file that goes on in the next slice, or None. At most one slice of lines is held at a time.
    """
    batches: list[pa.RecordBatch] = []
    held = 0
    for position, source in enumerate(files):
        for batch in numbered_lines(unpacked(source.path, source.compression, source.key)):
            if held > slice_bytes:
                goes_on = batches[-1]["file"][0].as_py() == source.file
                yield from _slice(con, batches, source.file if goes_on else None)
                batches, held = [], 0
            numbers = pa.array(np.full(len(batch), source.file, dtype=np.int32))
            if len(batch):
                batches.append(batch.append_column("file", numbers))
                held += batch.nbytes
        if (position + 1) % 100 == 0:
            log.info("%d of %d files read", position + 1, len(files))
    if batches:
        yield from _slice(con, batches, None)


def _slice(con: duckdb.DuckDBPyConnection, batches: list[pa.RecordBatch], open_file: int | None) -> Iterator[int | None]:
    table = pa.Table.from_batches(batches)
    table = table.append_column("rec", pa.array(np.arange(len(table), dtype=np.int32)))
    con.register("line", table)
    try:
        yield open_file
    finally:
        con.unregister("line")
