"""`bsync serve` under load: visits and ID syncs over 64 connections, each durable before it is answered, and then in the lake.

The load comes from a second process, over the loopback. Each call has a declared ID of its own; after the load the day is taken
in, and the IDs answered with 200 must be those in the lake. Servers that are not installed are left out, and a line says so.

Processor time per call does not depend on what else the machine does; the other figures want a quiet one.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks.report import table, write_section
from bsync_assets.assets.id_sync_events import take_events
from bsync_assets.warehouse.lake import attach
from bsync_assets.workspace import open_catalog

CONNECTIONS = 64
APP = "bsync_assets.sync_server.serve:app"
#: Server -> its command line for one worker; the first is what `bsync serve` runs.
SERVERS = {
    "uvicorn": ["-m", "bsync_assets.cli", "serve", "--port", "{port}"],
    "uvicorn, h11": ["-m", "uvicorn", APP, "--factory", "--port", "{port}", "--http", "h11", "--no-access-log"],
    "hypercorn": ["-m", "hypercorn", f"{APP}()", "--bind", "127.0.0.1:{port}", "--worker-class", "uvloop"],
    "granian": ["-m", "granian", "--interface", "asgi", "--factory", "--port", "{port}", "--no-access-log", APP],
}
#: Paths of the mix, with an ID of its own each: a sync, a visit with signals, a visit of a page's script.
CALLS = (
    "/ibs:dpid=4101&dpuuid={id}",
    "/event?page=shop&price=12&colour=red,blue&d_cid=4102%01{id}",
    "/event?page=home&d_rtbd=json&d_cid=4101%01{id}",
)


def workspace(home: Path) -> None:
    """A partner with two data sources, and some rule-based traits."""
    (home / "catalog").mkdir(parents=True)
    start = datetime.now(UTC).date()
    partner = {"name": "acme", "id": 7, "sync": {"url": "https://acme.example/?u=${DD_UUID}", "redirect_hosts": ["acme.example"]}}
    traits = [{"id": n, "data_source": 4101, "kind": "rule", "rule": f'page == "shop" AND price > {n}'} for n in range(1, 200)]
    for name, content in {
        "bsync.yaml": {"account": {"name": "Bench", "pid": 1, "start": start}},
        "catalog/partners.yaml": [partner],
        "catalog/data_sources.yaml": [{"id": dpid, "owner": "acme"} for dpid in (4101, 4102)],
        "catalog/traits.yaml": traits,
    }.items():
        (home / name).write_text(yaml.safe_dump(content))


# --- The load: run in a process of its own


async def _connection(port: int, number: int, until: float, out: dict[str, Any]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    calls = 0
    while time.perf_counter() < until:
        name = f"c{number}-{calls}"
        path = CALLS[calls % len(CALLS)].format(id=name)
        began = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: sync.example\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        out["seconds"].append(time.perf_counter() - began)
        if head[9:12] != b"200":
            out["errors"].append(head[:40].decode())
        calls += 1
    out["answered"] += calls
    writer.close()


async def _load(port: int, seconds: float) -> dict[str, Any]:
    out: dict[str, Any] = {"seconds": [], "errors": [], "answered": 0}
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, number, began + seconds, out) for number in range(CONNECTIONS)))
    lasted = time.perf_counter() - began
    times = sorted(out["seconds"])
    return {
        "answered": out["answered"],
        "errors": len(out["errors"]),
        "per_second": out["answered"] / lasted,
        **{f"p{p}": times[min(len(times) - 1, len(times) * p // 100)] * 1000 for p in (50, 95, 99)},
        "max": times[-1] * 1000,
    }


# --- One server


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(100):
                    return
        except OSError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise SystemExit("the server did not start")


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and all below it so far."""
    processes = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # gone in the meantime
            continue
        processes[int(path.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    family, before = {pid}, 0
    while len(family) > before:
        before = len(family)
        family |= {child for child, (parent, _) in processes.items() if parent in family}
    return sum(processes[member][1] for member in family) / os.sysconf("SC_CLK_TCK")


def measure(server: str, seconds: float, workers: int = 1) -> dict[str, Any]:
    """Figures of one server under load, and how many of its answered calls are in the lake."""
    with tempfile.TemporaryDirectory(prefix="bsync-serve-") as folder, socket.socket() as probe:
        home = Path(folder) / "ws"
        workspace(home)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [part.format(port=port) for part in SERVERS[server]] + (["--workers", str(workers)] if workers > 1 else [])
        log = open(Path(folder) / "log", "wb")  # noqa: SIM115
        process = subprocess.Popen([sys.executable, *command], env=os.environ | {"BSYNC_HOME": str(home)}, stdout=log, stderr=log)
        try:
            _wait(port, process)
            idle = _cpu_seconds(process.pid)
            load = [sys.executable, "-m", "benchmarks.bench_serve", "--load", str(port), "--seconds", str(seconds)]
            figures: dict[str, Any] = json.loads(subprocess.run(load, capture_output=True, check=True).stdout)
            figures["cpu_ms"] = (_cpu_seconds(process.pid) - idle) / figures["answered"] * 1000
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            log.close()
        with closing(duckdb.connect()) as con:
            attach(con, home)
            began = time.perf_counter()
            take_events(con, open_catalog(home), datetime.now(UTC).date())
            figures["taking_in"] = time.perf_counter() - began
            row = con.execute("SELECT count(DISTINCT id) FROM lake.main.event_ids").fetchone()
        figures["in_lake"] = row[0] if row else 0
    return figures


def main() -> int:
    """Measure, print, and write RESULTS.md; exit code 1 when a call that was answered is not in the lake, or one was not."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--servers", nargs="+", default=list(SERVERS), choices=list(SERVERS))
    arguments.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="for `bsync serve`; the others get one")
    arguments.add_argument("--load", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.load:
        print(json.dumps(asyncio.run(_load(given.load, given.seconds))))
        return 0
    rows, sound = [], True
    for server in given.servers:
        if importlib.util.find_spec(server.partition(",")[0]) is None:
            print(f"{server} is left out: it is not installed")
            continue
        for workers in given.workers if server == "uvicorn" else [1]:
            f = measure(server, given.seconds, workers)
            sound = sound and f["errors"] == 0 and f["in_lake"] == f["answered"]
            counts = [f"{f['answered']:,}", f"{f['errors']:,}", f"{f['per_second']:,.0f}", f"{f['cpu_ms']:.2f}"]
            times = [f"{f[name]:.1f}" for name in ("p50", "p95", "p99", "max")]
            rows.append([server, workers, *counts, *times, f"{f['in_lake']:,}", f"{f['taking_in']:.1f}"])
            print(rows[-1], flush=True)
    head = [
        "server",
        "workers",
        "answered",
        "errors",
        "calls/s",
        "CPU ms/call",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "in the lake",
        "taking in, s",
    ]
    body = table(head, rows)
    print(body)
    average = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    note = (
        f"{CONNECTIONS} connections for {given.seconds:g} s from a second process on the same cores; each call is on disk "
        f"(fdatasync) before it is answered. Load average at the end (1, 5, 15 min): {average}."
    )
    write_section("HTTP service", f"{note}\n\n{body}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
