"""Commands that only look: at the published views, at why an ID is where it is, at what a rule would do, at how things stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bsync_assets.cli.terminal import (
    JsonOption,
    LatestDayOption,
    Stop,
    app,
    console,
    find_workspace,
    json_value,
    open_workspace,
    print_answer,
    print_rows,
    reading,
)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Is everything all right, and if not, what to do? And how each day and partner stands, and what waits for a run.

    What needs a person: files and deliveries that are held, receipts that do not add up, mail that does not get through,
    deliveries late by more than a day, partners overdue by their own rhythm, days left open. Worth a look: volumes out of their
    usual band, and what goes on by itself. Exit code 1 if something needs a person, for monitoring.
    """
    from bsync_assets.status import workspace_status

    found = workspace_status(open_workspace())
    if as_json:
        print(json.dumps(found, default=json_value))
    else:
        _show_status(found)
    raise typer.Exit(0 if found["all_right"] else 1)


def _show_status(found: Mapping[str, Any]) -> None:
    worries, waiting = found["worries"], found["waiting"]
    if found["days"]:
        urgent = sum(worry["level"] == "act" for worry in worries)
        verdict = "all right" if not urgent else f"{urgent} {'thing needs' if urgent == 1 else 'things need'} a person"
        others = f", {len(worries) - urgent} worth a look" if len(worries) > urgent else ""
        console().print(f"[bold {'red' if urgent else 'green'}]{verdict}[/]{others}, as of {found['last_day_run']}\n")
        if worries:
            shown = ("kind", "day", "who", "what", "remedy")
            print_rows([worry | {"remedy": f"-> {worry['remedy']}"} for worry in worries], shown)
            print()
        print_rows([day | {"missing": "MISSING" if day["missing"] else ""} for day in found["days"]], list(found["days"][0]))
    else:
        print("no day was run yet")
    if waiting["days"]:
        span = f"{waiting['days'][0]} to {waiting['days'][-1]}" if len(waiting["days"]) > 1 else str(waiting["days"][0])
        print(f"waiting for a run: files of {', '.join(waiting['partners'])}, {span}")
    if found["report"]:
        print(f"the day on one page: {found['report']}")


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL; `SHOW TABLES` lists the views.")],
    as_json: JsonOption = False,
) -> None:
    """Query the published views, read-only; works during a run, too, and shows finished runs only."""
    import duckdb

    from bsync_assets import connect

    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    with connect(find_workspace()) as views:
        try:
            statements = views.extract_statements(query)
            if len(statements) != 1 or statements[0].type not in reading:
                raise Stop("expected one SELECT; the published views can be read only", 2)
            cursor = views.execute(statements[0])
            columns = _distinct([column[0] for column in cursor.description or []])
            rows = (dict(zip(columns, row, strict=True)) for row in iter(cursor.fetchone, None))
            print_rows(rows, columns, as_json)
        except duckdb.Error as error:
            sentence = " ".join(str(error).partition("\n\nLINE ")[0].split())
            raise Stop(f"the query failed: {sentence}", 2 if isinstance(error, duckdb.ProgrammingError) else 1) from None


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names, a repeated one with its number behind."""
    return [name if name not in names[:i] else f"{name}_{names[:i].count(name) + 1}" for i, name in enumerate(names)]


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The new file, like today.duckdb.", dir_okay=False)],
) -> None:
    """Write the published views and all their rows into one DuckDB file that can be copied, mailed, archived."""
    from bsync_assets.warehouse.export import export as write

    try:
        count = write(find_workspace(), file)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise Stop(str(error), 2) from None
    print(f"{count} views and their rows, {file.stat().st_size:,} bytes: {file}")


@app.command()
def unlinked(partner: Annotated[str, typer.Argument(help="A partner that the catalog lets us sync with.")]) -> None:
    """List the visitors that have no link with a partner yet: platform IDs, one a line, for a batch sync with it."""
    import duckdb

    from bsync_assets import connect

    catalog = open_workspace()
    if partner not in catalog.partners or catalog.partners[partner].sync is None:
        raise Stop(f"there is no partner {partner!r} with a `sync:` entry in catalog/partners.yaml", 2)
    query = "SELECT device_id FROM partner_syncs WHERE partner = $partner AND NOT is_linked ORDER BY device_id"
    with connect(catalog.home) as views:
        try:
            for (device,) in iter(views.execute(query, {"partner": partner}).fetchone, None):
                print(device)
        except duckdb.Error as error:
            raise Stop(f"cannot tell: {error}") from None


@app.command("why")
def why(
    segment: Annotated[int, typer.Option("--segment", "-s", metavar="ID", help="The segment.")],
    profile: Annotated[str, typer.Option("--id", help="The ID, like 0:0123... or 1002:ann.", metavar="DPID:ID")],
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an ID is, or is not, in a segment: down to trait, realization, file and line, time to live, link and opt-out."""
    from bsync_assets.assets.segment_members.why import in_words, why_member
    from bsync_assets.exchange.namespaces import DEVICE_DPIDS

    dpid, colon, name = profile.partition(":")
    if not colon or not dpid.isdecimal() or not name:
        raise Stop(f"expected an ID like 0:0123... or 1002:ann, got {profile!r}", 2)
    with reading(day) as (con, catalog, of_day):
        if int(dpid) not in (*catalog.data_sources, *DEVICE_DPIDS):
            raise Stop(f"there is no {dpid} in catalog/data_sources.yaml, nor is it a namespace of devices", 2)
        try:
            answer = why_member(con, catalog, segment, (int(dpid), name), of_day)
        except LookupError as error:
            raise Stop(str(error.args[0]), 2) from None
    print_answer(answer, in_words(answer), as_json)


preview = typer.Typer(no_args_is_help=True, help="What a segment or trait rule would do, before it goes live.")
app.add_typer(preview, name="preview")


@preview.command("segment")
def preview_segment_(
    expression: Annotated[str, typer.Argument(help="A segment expression, like '1T AND NOT 2T'.")],
    segment: Annotated[
        int | None, typer.Option("--segment", "-s", metavar="ID", help="A segment to compare with, and to merge as it does.")
    ] = None,
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who would be in a segment like this now, compared with one as it is, and how many each destination could be told of."""
    from bsync_assets.assets.segment_members.preview import preview_segment
    from bsync_assets.rules.expressions import RuleError

    with reading(day) as (con, catalog, of_day):
        try:
            answer = preview_segment(con, catalog, expression, of_day, segment)
        except RuleError as error:
            raise Stop(f"the expression is refused: {error}; bsync explain segment shows the place", 2) from None
        except LookupError as error:
            raise Stop(str(error.args[0]), 2) from None
    reach = answer["addressable"]
    lines = [f"{answer['members']} members at the end of {of_day}: {answer['devices']} devices, {answer['people']} people"]
    if segment is not None:
        moves = f"{answer['kept']} stay, {answer['gained']} come, {answer['lost']} go"
        lines.append(f"segment {segment} has {answer['current']}: {moves}")
    lines += [f"destination {number} could be told of {count}" for number, count in reach.items()]
    print_answer(answer, lines, as_json)


@preview.command("rule")
def preview_rule_(
    rule: Annotated[str, typer.Argument(help="A trait rule, like 'page == \"tent guide\"'.")],
    days: Annotated[int, typer.Option("--days", metavar="NUMBER", min=1, help="How many days of visits to look at.")] = 7,
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many of the last days' visits would realize a rule-based trait with this rule."""
    from bsync_assets.assets.segment_members.preview import preview_rule
    from bsync_assets.rules.expressions import RuleError

    with reading(day) as (con, _, of_day):
        try:
            answer = preview_rule(con, rule, of_day, days)
        except RuleError as error:
            raise Stop(f"the rule is refused: {error}; bsync explain rule shows the place", 2) from None
    visits = f"{answer['realizations']} of {answer['events']} visits from {answer['first']} to {of_day}"
    lines = [f"{visits} would realize it, by {answer['devices']} devices"]
    print_answer(answer, lines, as_json)
