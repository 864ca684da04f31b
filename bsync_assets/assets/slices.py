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

    Yields the file that goes on in the next slice, or None. At most two slices of lines are held at a time: the next one is
    read while the engine works on this one.
    """
    slices = _read(files, slice_bytes)
    with ThreadPoolExecutor(1, thread_name_prefix="bsync-lines") as reader:
        coming = reader.submit(next, slices, None)
        while (read := coming.result()) is not None:
            coming = reader.submit(next, slices, None)
            table, open_file = read
            con.register("line", table)
            try:
                yield open_file
            finally:
                con.unregister("line")
            del read, table


def _read(files: Sequence[ToRead], slice_bytes: int) -> Iterator[tuple[pa.Table, int | None]]:
    """Slices of lines, each with the file that goes on in the next."""
    batches: list[pa.RecordBatch] = []
    held = 0
    for position, source in enumerate(files):
        for batch in numbered_lines(unpacked(source.path, source.compression, source.key)):
            if held > slice_bytes:
                goes_on = batches[-1]["file"][0].as_py() == source.file
                yield _joined(batches), source.file if goes_on else None
                batches, held = [], 0
            numbers = pa.array(np.full(len(batch), source.file, dtype=np.int32))
            if len(batch):
                batches.append(batch.append_column("file", numbers))
                held += batch.nbytes
        if (position + 1) % 100 == 0:
            log.info("%d of %d files read", position + 1, len(files))
    if batches:
        yield _joined(batches), None


def _joined(batches: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(batches)
    return table.append_column("rec", pa.array(np.arange(len(table), dtype=np.int32)))
