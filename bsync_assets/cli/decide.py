"""Commands by which an operator decides: about what is held, and about files that should not have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bsync_assets.cli.outbound import delivering
from bsync_assets.cli.run import showing_progress
from bsync_assets.cli.terminal import Stop, app, open_workspace

if TYPE_CHECKING:
    from bsync_assets.catalog.models import Catalog


@app.command()
def retract(
    file: Annotated[str, typer.Argument(help="Its key in the manifest, partner/name, its name, or 12 digits of its hash.")],
) -> None:
    """Take a file out as if it had never come: the days since are run again without it, receipts are amended.

    Destinations are corrected with their next deliveries. Without part number, all parts of a file are taken out. The same bytes
    under the same name stay out from now on; under another name, or for another day, they are a new file. `bsync release` takes a
    retraction back.
    """
    from bsync_assets.decisions import retract as take_out

    print(f"retracted: {', '.join(_decide(take_out, file))}")


@app.command()
def release(
    what: Annotated[
        str, typer.Argument(metavar="DESTINATION|FILE", help="ID of a destination, or a held file as `bsync status` names it.")
    ],
) -> None:
    """Let go what is held for its unusual volume: deliveries to a destination, or an overwrite that takes away much.

    A file comes in with its day: that day and the days since are run again. Files that were retracted come in again, too.
    """
    if what.isdecimal() and len(what) <= 10:
        _release_deliveries(int(what))
        return
    from bsync_assets.decisions import let_in

    print(f"let in: {', '.join(_decide(let_in, what))}")


def _decide(decide: Callable[[Catalog, str], Sequence[str]], file: str) -> Sequence[str]:
    from bsync_assets.decisions import NotDecided

    catalog = open_workspace()
    try:
        with showing_progress():
            return decide(catalog, file)
    except NotDecided as error:
        raise Stop(str(error)) from None


def _release_deliveries(destination: int) -> None:
    """Let the deliveries of a destination go that are held, and send them."""
    from bsync_assets.assets.outbound_files import deliver_segments, history
    from bsync_assets.warehouse.publish import publish

    with delivering([destination], None) as (con, catalog, day, numbers):
        if not history.release(con, destination):
            raise Stop(f"nothing is held for destination {destination}")
        outcome = deliver_segments(con, catalog, day, numbers)[destination]
        publish(con, catalog.home)
    print(f"destination {destination}: {outcome['status']}" + (f", {outcome['why']}" if outcome["why"] else ""))
    if outcome["status"] in ("failed", "held"):
        raise typer.Exit(1)
