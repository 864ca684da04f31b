"""Commands for what goes to destinations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bsync_assets.cli.terminal import (
    JsonOption,
    LatestDayOption,
    Stop,
    app,
    day_run,
    open_workspace,
    parse_day,
    print_rows,
    reading,
)

if TYPE_CHECKING:
    from bsync_assets.catalog.models import Catalog


outbound = typer.Typer(no_args_is_help=True, help="Segments on their way to destinations.")
app.add_typer(outbound, name="outbound")

DestinationsOption = Annotated[
    list[int] | None, typer.Option("--destination", "-d", metavar="ID", help="A destination, or several; default all.")
]
FullOption = Annotated[bool, typer.Option("--full", help="Everything current, not only what changed.")]


@contextmanager
def delivering(destinations: list[int] | None, day: date | None) -> Iterator[tuple[Any, Catalog, date, list[int]]]:
    """(connection of the one writer, catalog, day, destinations) for the commands below."""
    import duckdb

    from bsync_assets.warehouse.lake import attach, single_writer

    catalog = open_workspace()
    for number in destinations or ():
        if number not in catalog.destinations:
            raise Stop(f"there is no destination {number} in catalog/destinations.yaml", 2)
    day = day_run(catalog.home, day)
    with single_writer(catalog.home), duckdb.connect() as con:
        attach(con, catalog.home)
        yield con, catalog, day, destinations or list(catalog.destinations)


@outbound.command("plan")
def outbound_plan(
    destination: DestinationsOption = None, day: LatestDayOption = None, full: FullOption = False, as_json: JsonOption = False
) -> None:
    """What would go out for a day; nothing is sent or written."""
    from bsync_assets.assets.outbound_files import preview

    with delivering(destination, day) as (con, catalog, of_day, numbers):
        rows = preview(con, catalog, of_day, numbers, full=full)
    print_rows(rows, list(rows[0]) if rows else [], as_json)


@outbound.command("send")
def outbound_send(
    destination: DestinationsOption = None, day: LatestDayOption = None, full: FullOption = False, as_json: JsonOption = False
) -> None:
    """Send what is open and due; with `--full` a full delivery now. A delivered day is not rendered again."""
    from bsync_assets.assets.outbound_files import deliver_segments
    from bsync_assets.assets.outbound_files.alerts import send_alerts
    from bsync_assets.warehouse.publish import publish

    with delivering(destination, day) as (con, catalog, of_day, numbers):
        outcomes = deliver_segments(con, catalog, of_day, numbers, full=full)
        send_alerts(catalog, of_day, outcomes)
        publish(con, catalog.home)
    rows = [
        {"destination": number, "status": outcome["status"], "why": outcome["why"], "deliveries": len(outcome["deliveries"])}
        for number, outcome in outcomes.items()
    ]
    print_rows(rows, ["destination", "status", "why", "deliveries"], as_json)
    if any(row["status"] in ("failed", "held") for row in rows):
        raise typer.Exit(1)


@outbound.command("resend")
def outbound_resend(
    destination: Annotated[int, typer.Argument(help="ID of a destination.")],
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the delivered files of a day once more: the same bytes under the same names. They are kept for 8 days."""
    from bsync_assets.assets.outbound_files import NotPlanned, resend
    from bsync_assets.transport.places import PlaceError
    from bsync_assets.warehouse.publish import publish

    with delivering([destination], day) as (con, catalog, of_day, _):
        try:
            names = resend(con, catalog, catalog.destinations[destination], of_day)
        except (NotPlanned, PlaceError) as error:
            raise Stop(str(error)) from None
        publish(con, catalog.home)
    print_rows([{"name": name} for name in names], ["name"], as_json)


@outbound.command("history")
def outbound_history(
    destination: Annotated[int, typer.Argument(help="ID of a destination.")],
    first: Annotated[Any, typer.Option("--from", parser=parse_day, metavar="DAY", help="First day of transfer (UTC).")],
    last: Annotated[Any, typer.Option("--to", parser=parse_day, metavar="DAY", help="Last day of transfer (UTC).")],
    as_json: JsonOption = False,
) -> None:
    """What was sent to a destination in a range of days: every file, with totals per day of records received, sent and failed.

    Control files show the records of their delivery, and are not added to the totals.
    """
    from bsync_assets.assets.outbound_files.history import delivered

    with reading(None) as (con, catalog, _):
        if destination not in catalog.destinations:
            raise Stop(f"there is no destination {destination} in catalog/destinations.yaml", 2)
        if first > last:
            raise Stop(f"--to {last} lies before --from {first}", 2)
        rows = delivered(con, destination, first, last)
    print_rows(rows, ["sent_on", "day", "name", "mode", "status", "received", "successful", "failed", "ended_at"], as_json)
