"""Runs a command in a process of its own and measures it from outside: wall time and peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measured:
    seconds: float  # wall time, start of the interpreter included
    peak_mb: float  # resident set, summed over the command and its children
    output: str  # what it printed on standard output


class CommandError(RuntimeError):
    """A measured command ended with an error; the message holds the command and the end of what it said."""


def measure(command: Sequence[str], env: Mapping[str, str] | None = None) -> Measured:
    """Run `command` in the repository, with `env` on top of the environment. Raises CommandError if it fails.

    Peak memory is the greater of two observations: the sum over the command's session, looked at every 50 ms,
    which sees children too, and what the kernel reports for the command, which misses no short peak. Mapped
    input files count in both.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **(env or {})},
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        peak = 0
        try:
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                peak = max(peak, _resident_bytes(process.pid))
                time.sleep(POLL_SECONDS)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        err.seek(0)
        if process.returncode:
            said = (out.read() + err.read()).decode(errors="replace")[-3000:]
            raise CommandError(f"exit code {process.returncode}: {' '.join(command)}\n{said}")
        peak = max(peak, usage.ru_maxrss * 1024)
        return Measured(seconds, peak / 2**20, out.read().decode(errors="replace"))


def _resident_bytes(session: int) -> int:
    """Resident memory of all processes of a session."""
    pages = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * PAGE_BYTES
