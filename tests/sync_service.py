"""Starting `bsync serve` as a process of its own, calling it, and reading what it kept."""

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

Process = subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def service(home: Path, *options: str, port: int | None = None) -> Iterator[tuple[str, Process]]:
    """`bsync serve` on a port of 127.0.0.1: (address, process). Stopped at the end if it still runs; logs to serve.log."""
    port = port or free_port()
    command = [sys.executable, "-m", "bsync_assets.cli", "serve", "--port", str(port), *options]
    with open(home / "serve.log", "ab") as log:
        process = subprocess.Popen(command, env=os.environ | {"BSYNC_HOME": str(home)}, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, home)
        yield address, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(address: str, process: Process, home: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError((home / "serve.log").read_text())


def kept(home: Path) -> list[dict[str, Any]]:
    """Every whole record that was captured, by time."""
    records = []
    for path in sorted((home / "lake" / "events").glob("date=*/*.jsonl")):
        records += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return sorted(records, key=lambda record: str(record["at"]))


def exchange(address: str, request: bytes, timeout: float = 20) -> bytes:
    """What the service answers to bytes that no client library would send."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout) as connection:
        connection.sendall(request)
        answer = bytearray()
        while chunk := connection.recv(65536):
            answer += chunk
    return bytes(answer)
