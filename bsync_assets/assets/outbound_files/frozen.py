"""A delivery made to last: its bytes, names and figures in one folder, so that every attempt sends the same (OUT-071).

`lake/outbound/<destination>/<day>-<time stamp>/` holds the files under their names, `published.parquet` (how the publication
state changes when they have arrived) and `delivery.json` (everything else). The folder appears whole or not at all.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from bsync_assets.assets.outbound_files.plan import Plan, read_rows
from bsync_assets.sqlfiles import sql
from bsync_assets.warehouse.lake import lake_folder, quoted

DELTA = "published.parquet"


@dataclass(frozen=True)
class Part:
    """One delivered file: bytes and md5 as delivered, lines of the uncompressed text (OUT-092), records without the header."""

    name: str
    bytes: int
    lines: int
    md5: str
    records: int


@dataclass(frozen=True)
class Frozen:
    """A delivery whose bytes are made. `failed` = rows that would have broken their line; `control` = the control file."""

    destination: int
    day: date
    ts_ms: int
    mode: str
    parts: tuple[Part, ...]
    control: Part
    failed: int
    folder: Path

    @property
    def records(self) -> int:
        """Lines of all parts, headers excluded (OUT-133)."""
        return sum(part.records for part in self.parts)


def frozen_folder(home: Path, destination: int) -> Path:
    """Where the deliveries of one destination are kept."""
    return lake_folder(home) / "outbound" / str(destination)


def delivery_folder(home: Path, destination: int, day: date, ts_ms: int) -> Path:
    """Where one delivery is kept."""
    return frozen_folder(home, destination) / f"{day.isoformat()}-{ts_ms}"


def load(folder: Path) -> Frozen:
    """A delivery that was frozen before."""
    given = json.loads((folder / "delivery.json").read_text(encoding="utf-8"))
    parts = tuple(Part(**part) for part in given.pop("parts"))
    day = date.fromisoformat(given.pop("day"))
    return Frozen(parts=parts, control=Part(**given.pop("control")), day=day, folder=folder, **given)


def freeze(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    folder: Path,
    about: dict[str, Any],
    namespace: int,
    header: str | None,
    split_bytes: int,
    packed: bool,
    name_of: Callable[[int | None], str],
    control_names: tuple[str, str],
) -> Frozen:
    """Write the delivery into `folder`. `about`: destination, day, ts_ms, mode; `name_of` by part number, None = not split.

    Fills the temp table `broken` with the IDs whose row was not written.
    """
    draft = folder.with_name(f".draft-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    broken: list[pa.Array] = []
    start = b"" if header is None else header.encode() + b"\n"
    parts = write_parts(_ahead(_lines(con, plan, broken)), draft, start, split_bytes, packed)
    if broken:
        con.register("broken_ids", pa.table({"id": pa.concat_arrays(broken)}))
        con.execute("INSERT INTO broken SELECT id FROM broken_ids")
        con.unregister("broken_ids")
    named = []
    for number, part in enumerate(parts, 1):
        name = name_of(number if len(parts) > 1 else None)
        (draft / part.name).rename(draft / name)
        named.append(replace(part, name=name))
    text = control_file(named, control_names[1])
    _write(draft / control_names[0], text)
    control = Part(control_names[0], len(text), text.count(b"\n"), hashlib.md5(text, usedforsecurity=False).hexdigest(), 0)
    con.execute(
        "COPY (" + sql(__file__, "delta.sql") + ") TO " + quoted(draft / DELTA) + " (FORMAT parquet)",
        {"destination": about["destination"], "namespace": namespace},
    )
    frozen = Frozen(**about, parts=tuple(named), control=control, failed=sum(len(ids) for ids in broken), folder=folder)
    kept = asdict(frozen) | {"day": frozen.day.isoformat()}
    del kept["folder"]
    _write(draft / "delivery.json", json.dumps(kept).encode())
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    _sync(folder.parent)
    return frozen


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


def _lines(con: duckdb.DuckDBPyConnection, plan: Plan, broken: list[pa.Array]) -> Iterator[pa.Array]:
    """The lines of the plan in batches; IDs of broken ones go to `broken`."""
    for batch in read_rows(con, plan):
        lines = batch.column("line")
        if lines.null_count:
            broken.append(batch.column("broken").drop_null())
            lines = lines.drop_null()
        yield lines


def _ahead(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """The same batches; the next one is made while one is written."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = maker.submit(next, batches, None)
            yield batch


def write_parts(lines: Iterator[pa.Array], folder: Path, header: bytes, split_bytes: int, packed: bool) -> list[Part]:
    """Write lines (each with its line feed) to files `1`, `2`, ... of at most `split_bytes` before compression.

    A line is never cut; one that is too long by itself gets a part of its own (OUT-080, OUT-081). No lines, one part (OUT-064).
    """
    parts: list[Part] = []
    current: _PartWriter | None = None
    for batch in lines:
        ends, content = _buffer(batch)
        first, count = 0, len(ends) - 1
        while first < count:
            if current is None:
                current = _PartWriter(folder / str(len(parts) + 1), header, packed)
            room = split_bytes - current.plain
            last = int(np.searchsorted(ends, ends[first] + room, side="right")) - 1
            if last <= first and current.records == 0:
                last = first + 1  # longer than a part may be
            if last > first:
                last = min(last, count)
                current.write(content[int(ends[first]) : int(ends[last])], last - first)
                first = last
            if first < count:
                parts.append(current.close())
                current = None
    if current is None and not parts:
        current = _PartWriter(folder / "1", header, packed)
    return [*parts, current.close()] if current is not None else parts


def _buffer(lines: pa.Array) -> tuple[Any, memoryview]:
    """(where each line begins, and the end, as 64 bit; the bytes of all lines)."""
    wide = lines if pa.types.is_large_string(lines.type) else lines.cast(pa.large_string())
    _, offsets, content = wide.buffers()
    starts = (
        np.frombuffer(offsets, dtype=np.int64)[wide.offset : wide.offset + len(wide) + 1] if len(wide) else np.zeros(1, np.int64)
    )
    return starts, memoryview(content if content is not None else b"")


class _PartWriter:
    """One file while it is written, its size and MD5 taken on the way. Gzip without name and time, so that it is reproducible
    (OUT-037)."""

    def __init__(self, path: Path, header: bytes, packed: bool) -> None:
        self._path = path
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        self._digest = hashlib.md5(usedforsecurity=False)
        self._packer = gzip.GzipFile("", "wb", 6, _Hashed(self._file, self._digest), mtime=0) if packed else None
        self.plain, self.records = 0, 0
        self._header_lines = header.count(b"\n")
        self._put(memoryview(header))

    def _put(self, content: memoryview) -> None:
        if self._packer is not None:
            self._packer.write(content)
        else:
            _Hashed(self._file, self._digest).write(content)
        self.plain += len(content)

    def write(self, content: memoryview, records: int) -> None:
        """Add so many lines."""
        self._put(content)
        self.records += records

    def close(self) -> Part:
        """Finish the file and tell about it."""
        if self._packer is not None:
            self._packer.close()
        os.fsync(self._file.fileno())
        self._file.close()
        size = self._path.stat().st_size
        return Part(self._path.name, size, self.records + self._header_lines, self._digest.hexdigest(), self.records)


class _Hashed:
    """A file that hashes what is written to it."""

    def __init__(self, file: Any, digest: Any) -> None:
        self._file, self._digest = file, digest

    def write(self, content: Any) -> int:
        rest = memoryview(content)
        self._digest.update(rest)
        while len(rest):
            rest = rest[self._file.write(rest) :]
        return len(content)

    def flush(self) -> None:
        pass


def control_file(parts: list[Part], whole_name: str) -> bytes:
    """The content of the control file: the keys in this order, two blanks of indent (OUT-091, OUT-092)."""
    files = [
        {
            "FileByteSize": part.bytes,
            "FileLineCount": part.lines,
            "FileName": part.name,
            "FileSequenceNumber": number,
            "md5": part.md5,
        }
        for number, part in enumerate(parts, 1)
    ]
    totals = {
        "FileName": whole_name,
        "TotalByteSize": sum(part.bytes for part in parts),
        "TotalNumberFiles": len(parts),
        "TotalNumberLines": sum(part.lines for part in parts),
    }
    return (json.dumps({"Files": files, "Totals": totals}, indent=2) + "\n").encode()
