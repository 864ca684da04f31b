"""What commands share: the application itself, how it stops, the workspace, tables and JSON for the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from bsync_assets.catalog.models import Catalog


app = typer.Typer(
    name="bsync",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]


@app.callback(invoke_without_command=True)
def bsync(context: typer.Context) -> None:
    """Exchange visitor data with partners, day by day.

    A workspace is a folder with `bsync.yaml`, `catalog/` and `inbox/`. The environment variable BSYNC_HOME names it.

    Exit codes: 0 = done, 1 = something is wrong that the output names, 2 = not understood.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


class Stop(typer.TyperException):
    """Ends the command with one sentence for the user: `code` 1 = it could not be done, 2 = it was not understood."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = code


def find_workspace() -> Path:
    """The workspace that BSYNC_HOME names; Stop when there is none."""
    from bsync_assets.catalog import workspace_home

    home = workspace_home()
    if not (home / "bsync.yaml").is_file():
        raise Stop(f"{home} is no workspace, it has no bsync.yaml; let BSYNC_HOME name the folder of one", 2)
    return home


def open_workspace() -> Catalog:
    """The catalog of that workspace; CatalogError when it has mistakes."""
    from bsync_assets.workspace import open_catalog

    return open_catalog(find_workspace())


def console() -> Console:
    """For text to people on stdout. Not on a terminal nothing is cut to a width."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=10_000)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool = False) -> None:
    """A table for people, or a JSON array of objects, which is written as rows come; times in ISO form."""
    if as_json:
        comma = "["
        for row in rows:
            print(comma + json.dumps(dict(row), default=json_value, ensure_ascii=False), end="")
            comma = ",\n"
        print("]" if comma != "[" else "[]")
        return
    table = Table(*(escape(column) for column in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("" if row[column] is None else escape(str(row[column])) for column in columns))
    console().print(table)


def json_value(value: object) -> Any:
    """What JSON has no form for: dates and times in ISO form, decimals as numbers, the rest as text."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def parse_day(text: str) -> date:
    """A day as commands take it, for `typer.Option(parser=parse_day)`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a day like 2026-01-05, got {text!r}") from None


LatestDayOption = Annotated[
    date | None, typer.Option("--day", parser=parse_day, metavar="DAY", help="Business day; default the last one run.")
]


def catalog_if_any() -> Catalog | None:
    """The catalog, if BSYNC_HOME names a workspace."""
    from bsync_assets.catalog import workspace_home

    return open_workspace() if (workspace_home() / "bsync.yaml").is_file() else None


def day_run(home: Path, day: date | None) -> date:
    """`day` if it lies among those that were run, the last one by default; else Stop."""
    from bsync_assets.warehouse.publish import last_day_run

    last = last_day_run(home)
    if last is None:
        raise Stop("no day was run yet; run one: bsync run --day DAY")
    if day is not None and day > last:
        raise Stop(f"{day} was not run yet, the last day run is {last}", 2)
    return day or last


@contextmanager
def reading(day: date | None) -> Iterator[tuple[Any, Catalog, date]]:
    """(connection to the lake, catalog, day) for commands that only look; the day is the last one run unless given."""
    import duckdb

    from bsync_assets.warehouse.lake import attach

    catalog = open_workspace()
    day = day_run(catalog.home, day)
    with duckdb.connect() as con:
        attach(con, catalog.home)
        yield con, catalog, day


def print_answer(answer: Mapping[str, Any], lines: Sequence[str], as_json: bool) -> None:
    """An answer as JSON, or its lines in words."""
    print(json.dumps(answer, default=str) if as_json else "\n".join(lines))
