"""Durable capture: a call is answered only when its record is on disk.

One thread writes for one process. What came in while it waited for the disk is written next, together, with one sync (group
commit). Each process has files of its own, a new one each UTC day and each `ROTATE_BYTES`; a record belongs to the day on which
it is written, so nothing is added to a day that is over. See `transport.captures` for where they lie.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bsync_assets.transport.captures import capture_folder

ROTATE_BYTES = 64 << 20
MAX_WAITING = 20_000  # calls not on disk yet; more are turned away
_TOGETHER = 2_000

#: One answered call, as it is kept: the fields that `decide` gives it, and `at`, when it came in (UTC).
Record = dict[str, Any]

log = logging.getLogger("bsync.serve")


class NotKeptError(RuntimeError):
    """The call could not be made durable, and nothing of it is on disk."""


class BusyError(RuntimeError):
    """More calls wait for the disk than can be answered in time."""


class Capture:
    """The writer of one process.

    `prepare` is given records before they are written and may change them. `settle` is given what is on disk now, with the file
    and its length; when it fails, the records are taken back.
    """

    def __init__(
        self,
        home: Path,
        prepare: Callable[[Sequence[Record]], None],
        settle: Callable[[Sequence[Record], Path, int], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._home, self._prepare, self._settle, self._clock = home, prepare, settle, clock
        self._waiting: deque[tuple[Record, asyncio.Future[None]]] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self._file: _File | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def keep(self, record: Record) -> asyncio.Future[None]:
        """Done when `record` is on disk; fails with NotKeptError. Raises BusyError."""
        if len(self._waiting) >= MAX_WAITING:
            raise BusyError
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((record, kept))
        self._wake.set()
        return kept

    def is_alive(self) -> bool:
        """Whether the writer runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Write what waits, and end."""
        self._is_closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))]
                failure = self._try_write([record for record, _ in batch])
                loop = batch[0][1].get_loop()
                loop.call_soon_threadsafe(_resolve, [kept for _, kept in batch], failure)
            if self._is_closing:
                if self._file is not None:
                    self._file.close()
                return

    def _try_write(self, records: list[Record]) -> NotKeptError | None:
        try:
            self._write(records)
        except (OSError, sqlite3.Error) as error:
            log.error("not kept", extra={"calls": len(records), "reason": str(error)})
            return NotKeptError(str(error))
        except Exception as error:  # a fault of ours: said loudly, and the callers are not left waiting
            log.exception("not kept", extra={"calls": len(records)})
            return NotKeptError(repr(error))
        return None

    def _write(self, records: list[Record]) -> None:
        now = self._clock().replace(tzinfo=None)
        self._prepare(records)
        lines = []
        for record in records:
            at = max(record["at"], datetime(now.year, now.month, now.day))
            kept = {"at": at.isoformat(sep=" ", timespec="microseconds"), **{k: v for k, v in record.items() if k != "at"}}
            record["at"] = kept["at"]
            lines.append(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
        content = ("\n".join(lines) + "\n").encode()
        if self._file is not None and (self._file.day != now.date() or self._file.size >= ROTATE_BYTES):
            self._file.close()
            self._file = None
        if self._file is None:
            self._file = _File(self._home, now.date())
            log.info("capture file", extra={"file": self._file.path.name})
        before = self._file.size
        try:
            self._file.append(content)
            self._settle(records, self._file.path, self._file.size)
        except BaseException:
            file, self._file = self._file, None
            file.take_back(before)
            raise


def _resolve(futures: list[asyncio.Future[None]], failure: NotKeptError | None) -> None:
    for future in futures:
        if future.done():  # its client went away
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


class _File:
    """One capture file; `size` is the length of whole records."""

    def __init__(self, home: Path, day: date) -> None:
        folder = capture_folder(home, day)
        folder.mkdir(parents=True, exist_ok=True)
        self.day = day
        self.path = folder / f"{datetime.now(UTC):%H%M%S}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
        self.size = 0
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for parent in (folder, folder.parent):  # the name itself must survive, too
            fd = os.open(parent, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def append(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fdatasync(self._fd)
        self.size += len(content)

    def take_back(self, size: int) -> None:
        """Cut off all behind `size`, whatever of it got there, and give the file up."""
        try:
            os.ftruncate(self._fd, size)
            os.fsync(self._fd)
        except OSError as error:
            log.critical("cannot take back", extra={"file": self.path.name, "reason": str(error)})
        finally:
            self.close()

    def close(self) -> None:
        os.close(self._fd)
