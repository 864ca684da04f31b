"""Commands that keep something running: days, the demo, Dagster's UI, the service that browsers call."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from bsync_assets.cli.terminal import Stop, app, console, open_workspace, parse_day, print_rows

DayOption = Annotated[Any, typer.Option("--day", help="The day (UTC), like 2026-01-05.", parser=parse_day, metavar="DAY")]


@app.command()
def run(
    day: DayOption,
    to: Annotated[Any, typer.Option("--to", help="Last day of a range, run as one.", parser=parse_day, metavar="DAY")] = None,
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="NAME", help="Only this partner's files and receipts.")
    ] = None,
) -> None:
    """Run the daily job for a day or a range of days, as the UI does; then show the receipts.

    State folds forward: days after the range that were run before are run again with it. Running a day again changes nothing
    unless files, links or definitions changed.
    """
    from bsync_assets.runs import run_days

    home = open_workspace().home
    with showing_progress():
        run_days(home, day, to or day, partner)
    _show_receipts(home, day, to or day)


@app.command()
def demo() -> None:
    """Run the shipped days in data/ afresh, show the receipts, where everything is, and what to try next."""
    from bsync_assets.assets.reports import report_file
    from bsync_assets.demo import demo_days, run_demo

    home = open_workspace().home
    with showing_progress():
        run_demo(home)
    first, last = demo_days(home)
    _show_receipts(home, first, last)
    started = "python -m bsync_assets.cli" if sys.argv[0].endswith("__main__.py") else sys.argv[0]
    me = "bsync" if shutil.which("bsync") else started
    console().print(
        f"\nMails are in [bold]{home / 'mail'}[/], the lake is in [bold]{home / 'lake'}[/], and the page about the last day is\n"
        f"[bold]{report_file(home, last)}[/]. What to try next:\n\n"
        f'  {me} sql "SELECT reason, count(*) FROM rejected_lines GROUP BY reason ORDER BY 2 DESC"\n'
        f"  {me} explain line $'card-100042\\td_sid=10101,HIKE,dept=\"camping\"'\n"
        f"  {me} ui                  the lineage graph in Dagster, on http://127.0.0.1:3000",
        soft_wrap=True,
    )


@app.command()
def ui(port: Annotated[int, typer.Option(metavar="PORT", help="Port on 127.0.0.1.", min=1, max=65535)] = 3000) -> None:
    """Open Dagster's UI on 127.0.0.1 with this workspace; it has no login, so it listens on this machine only."""
    from bsync_assets.runs import dagster_home

    home = open_workspace().home
    _check_port("127.0.0.1", port)
    dagster_home(home)
    os.environ["BSYNC_HOME"] = str(home)
    command = ["dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    shipped = Path(__file__).resolve().parents[2] / "workspace.yaml"
    command += ["-w", str(shipped)] if shipped.exists() else ["-m", "bsync_assets.definitions"]
    os.execv(sys.executable, [sys.executable, "-m", *command])


@contextmanager
def showing_progress() -> Iterator[None]:
    """Show one line per stage and day while the job runs."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            day, stage, seconds = (getattr(record, name) for name in ("day", "stage", "seconds"))
            console().print(f"{day}  {stage:<16}  {escape(record.getMessage())}  [dim]{seconds:.1f} s[/]", soft_wrap=True)

    logger = logging.getLogger("bsync.progress")
    handler = Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _show_receipts(home: Path, first: date, last: date) -> None:
    """The latest receipts of these days, and the files that were refused."""
    from bsync_assets import connect
    from bsync_assets.sqlfiles import sql as statement

    with connect(home) as views:
        cursor = views.execute(statement(__file__, "receipts.sql"), {"first": first, "last": last})
        columns = [column[0] for column in cursor.description or []]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        refused = views.execute(
            "SELECT key, reject_reason FROM inbound_files WHERE status = 'refused' AND day BETWEEN $first AND $last ORDER BY ALL",
            {"first": first, "last": last},
        ).fetchall()
    print()
    print_rows(rows, columns)
    for key, reason in refused:
        console().print(f"refused: {escape(key)}: {reason}", soft_wrap=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="Port to listen on.", min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(metavar="NUMBER", help="Processes that share the port.", min=1, max=64)] = 1,
    demo_page: Annotated[bool, typer.Option("--demo-page", help="Add /demo, which plays an ID sync in a browser.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every call, without IDs.")] = False,
) -> None:
    """Answer the calls of visitors' browsers: ID syncs, visits, opt-outs. The daily run takes in what was answered."""
    from bsync_assets.sync_server.serve import serve as run_server

    home = open_workspace().home
    _check_port(host, port)
    if demo_page:
        console().print(f"The demonstration is at http://127.0.0.1:{port}/demo")
    run_server(home, host, port, workers, demo_page, verbose)


def _check_port(host: str, port: int) -> None:
    """Stop when the port cannot be listened on."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise Stop(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from None
