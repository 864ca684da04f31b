"""Starting `bsync serve` as a process of its own, and reading what it kept."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def service(home: Path, *options: str, preexec: Any = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`bsync serve` on a port of 127.0.0.1; answers (address, process). Stopped at the end if it still runs; its log is serve.log."""
    port = free_port()
    command = [sys.executable, "-m", "bsync_assets.cli", "serve", "--port", str(port), *options]
    with open(home / "serve.log", "ab") as log:
        process = subprocess.Popen(command, env=os.environ | {"BSYNC_HOME": str(home)}, stderr=log, preexec_fn=preexec)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, home)
        yield address, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise AssertionError((home / "serve.log").read_text())


def kept(home: Path) -> list[dict[str, Any]]:
    """Every whole record that was captured, by time."""
    records = []
    for path in sorted((home / "lake" / "events").glob("date=*/*.jsonl")):
        records += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return sorted(records, key=lambda record: str(record["at"]))
