"""Commands that change what a workspace keeps: state of an older system, retention, the lake made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bsync_assets.cli.terminal import JsonOption, Stop, app, open_workspace, parse_day, print_rows


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON, one object per line.", exists=True, dir_okay=False)],
) -> None:
    """Bring state from an older system: links, hashed e-mails, trait memberships, opt-outs, activity.

    It holds at the start of the first day (`account.start`), so import before the first run; a second import adds to the first.
    All or nothing: a bad line is named, and then nothing is taken. Times are UTC unless they say otherwise. A line is one of:

    `{"link": {"dpid", "id", "device_dpid", "device_id", "seen_at"}}`

    `{"email": {"dpid", "id", "email_dpid", "hash", "seen_at"}}`

    `{"trait": {"dpid", "id", "trait_id", "realized_at", "count"}}`

    `{"opt_out": {"dpid", "id", "at"}}`

    `{"activity": {"dpid", "id", "last_at"}}`
    """
    from bsync_assets.importing import import_state

    counts = import_state(open_workspace().home, file)
    print(f"imported {sum(counts.values())} lines: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


@app.command()
def maintain(as_json: JsonOption = False) -> None:
    """End retention periods, merge small files, forget old snapshots, prune Dagster's event log; say what went.

    Run it once a day, after the daily job. It waits for a run that is under way and changes nothing that is published.
    """
    from bsync_assets.upkeep import maintain as do_maintain

    went = do_maintain(open_workspace())
    print_rows([{"what": kind, "gone": number} for kind, number in went.items()], ["what", "gone"], as_json)


@app.command()
def rebuild(
    into: Annotated[Path, typer.Argument(help="A folder that does not exist yet: the new workspace.", file_okay=False)],
    first: Annotated[
        Any, typer.Option("--from", parser=parse_day, metavar="DAY", help="First day made anew; by default the first possible.")
    ] = None,
) -> None:
    """Make the lake anew from kept state and kept files, in a workspace shut off from the world, and compare it.

    Exit code 1 if something published differs. What was decided once (what arrived when, receipts, deliveries) is taken over.
    """
    from bsync_assets.upkeep import RebuildRefused
    from bsync_assets.upkeep import rebuild as do_rebuild

    try:
        differ = do_rebuild(open_workspace(), into, first)
    except RebuildRefused as refusal:
        raise Stop(f"not rebuilt: {refusal}") from None
    for view, rows in sorted(differ.items()):
        print(f"{view}: {rows} rows differ")
    if differ:
        raise Stop(f"{into} differs from the original in {', '.join(sorted(differ))}")
    print(f"{into} equals the original")
