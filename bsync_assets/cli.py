"""The `bsync` command: one thin function per command, which asks a room of the house and prints what it answers.

Exit codes: 0 = done, 1 = done or tried, but something is wrong that the output names, 2 = not understood: the command line,
the workspace or its catalog. What goes wrong is said in one sentence on stderr. Rooms are imported by the command that needs
them, so that `bsync --help` does not wait for Dagster.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from bsync_assets.catalog.models import Catalog
    from bsync_assets.explain.people import Explanation

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
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


class Stop(typer.TyperException):
    """Ends the command with one sentence for the user: `code` 1 = it could not be done, 2 = it was not understood."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = code


def main() -> None:
    """Entry point of `bsync` and `python -m bsync_assets.cli`."""
    try:
        code = app(standalone_mode=False, prog_name="bsync")
    except typer.TyperException as error:
        sentence, context = error.format_message().rstrip("."), getattr(error, "ctx", None)
        if context is not None:
            sentence += f"{' See' if sentence.endswith('?') else '; see'} {context.command_path} --help"
        _complain(sentence)
        code = error.exit_code
    except typer.Abort:
        _complain("stopped")
        code = 130
    except BrokenPipeError:  # `bsync sql ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        known = _known_error(error)
        if known is None:
            raise
        sentence, code = known
        _complain(sentence)
    sys.exit(code)


#: Errors that are the user's to mend: module, class, exit code, what to say first. A module that is not loaded raised none.
_KNOWN_ERRORS = (
    ("bsync_assets.catalog", "CatalogError", 2, "nothing was done, for the catalog has mistakes:\n"),
    ("bsync_assets.runs", "RunRefused", 2, ""),
    ("bsync_assets.importing", "ImportRefused", 1, "nothing was imported: "),
    ("bsync_assets.warehouse.lake", "LakeBusy", 1, ""),
    ("bsync_assets.transport.pgp", "PgpError", 1, ""),
)


def _known_error(error: Exception) -> tuple[str, int] | None:
    """(sentence, exit code) of an error that is the user's to mend; None for a fault of ours, which shows its traceback.

    Dagster wraps what a run raises, so the causes are looked at too.
    """
    for module, name, code, first in _KNOWN_ERRORS:
        cause: BaseException | None = error if module in sys.modules else None
        while cause is not None:
            if isinstance(cause, getattr(sys.modules[module], name)):
                return f"{first}{cause}", code
            cause = cause.__cause__
    if isinstance(error, FileNotFoundError) and error.errno is None:  # ours, with a sentence; the system's have a number
        return str(error), 1
    return None


def _complain(sentence: str) -> None:
    print(f"bsync: {sentence}", file=sys.stderr)


# --- For commands to share


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


# --- Commands


DayOption = Annotated[Any, typer.Option("--day", help="The day (UTC), like 2026-01-05.", parser=parse_day, metavar="DAY")]


@app.command()
def run(
    day: DayOption,
    to: Annotated[Any, typer.Option("--to", help="Last day of a range, run as one.", parser=parse_day, metavar="DAY")] = None,
    partner: Annotated[str | None, typer.Option("--partner", help="Only this partner's files and receipts.")] = None,
) -> None:
    """Run the daily job for a day or a range of days, as the UI does; then show the receipts.

    State folds forward: days after the range that were run before are run again with it. Running a day again changes nothing
    unless files, links or definitions changed.
    """
    from bsync_assets.runs import run_days

    home = open_workspace().home
    with _progress():
        run_days(home, day, to or day, partner)
    _show_receipts(home, day, to or day)


@app.command()
def demo() -> None:
    """Run the shipped days in data/ afresh, show the receipts, where everything is, and what to try next."""
    from bsync_assets.demo import demo_days, run_demo

    home = open_workspace().home
    with _progress():
        run_demo(home)
    _show_receipts(home, *demo_days(home))
    me = "bsync" if shutil.which("bsync") else sys.argv[0]
    console().print(
        f"\nMails are in [bold]{home / 'mail'}[/], the lake is in [bold]{home / 'lake'}[/]. What to try next:\n\n"
        f'  {me} sql "SELECT reason, count(*) FROM rejected_lines GROUP BY reason ORDER BY 2 DESC"\n'
        f"  {me} explain line $'card-100042\\td_sid=10101,HIKE,dept=\"camping\"'\n"
        f"  {me} ui                  the lineage graph in Dagster, on http://127.0.0.1:3000",
        soft_wrap=True,
    )


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 3000) -> None:
    """Open Dagster's UI on 127.0.0.1 with this workspace; it has no login, so it listens on this machine only."""
    from bsync_assets.runs import dagster_home

    home = open_workspace().home
    dagster_home(home)
    os.environ["BSYNC_HOME"] = str(home)
    command = ["dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    shipped = Path(__file__).resolve().parents[1] / "workspace.yaml"
    command += ["-w", str(shipped)] if shipped.exists() else ["-m", "bsync_assets.definitions"]
    os.execv(sys.executable, [sys.executable, "-m", *command])


@contextmanager
def _progress() -> Iterator[None]:
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
        cursor = views.execute(statement(__file__, "cli_receipts.sql"), {"first": first, "last": last})
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
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(help="Processes that share the port.", min=1, max=64)] = 1,
    demo_page: Annotated[bool, typer.Option("--demo-page", help="Add /demo, which plays an ID sync in a browser.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every call, without IDs.")] = False,
) -> None:
    """Answer the calls of visitors' browsers: ID syncs, visits, opt-outs. The daily run takes in what was answered."""
    from bsync_assets.sync_server.serve import CannotListenError
    from bsync_assets.sync_server.serve import serve as run_server

    if demo_page:
        console().print(f"The demonstration is at http://127.0.0.1:{port}/demo")
    try:
        run_server(open_workspace().home, host, port, workers, demo_page, verbose)
    except CannotListenError as error:
        raise Stop(str(error)) from None


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
def validate(
    files: Annotated[list[Path], typer.Argument(help="Files as they would be delivered.", exists=True, dir_okay=False)],
    partner: Annotated[
        str | None, typer.Option("--partner", help="Who sends them; else their folder says so, or whoever may.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What would happen to a file: its name, its lines, the figures of its receipt, typical mistakes. Nothing is stored.

    With a workspace its catalog is used, without one only the format is judged. Links are not looked up, so a customer ID counts
    as unmatched. Exit code 1 if a file is refused or a line breaks a rule.

    `--json` prints one object per file: `{"file", "name", "counters", "lines": [{"line", "outcome"}, ...]}`, every line included.
    """
    from bsync_assets.validate import validate as judge
    from bsync_assets.validate.report import JsonReport, TextReport

    catalog = _catalog_if_any()
    if partner is not None and (catalog is None or partner not in catalog.partners):
        known = f"only {', '.join(catalog.partners)}" if catalog else "without a catalog nobody is known"
        raise Stop(f"there is no partner {partner!r}; {known}", 2)
    clean = True
    for file in files:
        report = (JsonReport if as_json else TextReport)(str(file), sys.stdout.write)
        with _share_done(file.name) as progress:
            verdict = judge(file, catalog, partner, report.lines, progress, every_line=as_json)
        report.end(verdict)
        clean = clean and not verdict.breaks_a_rule
    raise typer.Exit(0 if clean else 1)


@contextmanager
def _share_done(what: str) -> Iterator[Callable[[float], None]]:
    """On a terminal a bar on stderr; elsewhere a line there whenever another part of a large file is done."""
    from rich.progress import Progress

    if sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(escape(what), total=1.0)
            yield lambda share: bar.update(task, completed=share)
    else:
        yield lambda share: print(f"{what}: {share:.0%} done", file=sys.stderr)


explain = typer.Typer(invoke_without_command=True)
app.add_typer(explain, name="explain")


@explain.callback()
def explain_batch(
    context: typer.Context,
    batch: Annotated[bool, typer.Option("--batch", help="Answer JSON lines from standard input.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="With --batch: add the column of a refused rule.")] = False,
) -> None:
    """What the rules make of a name, a line, a rule ..., and which rule says so.

    With `--batch` the same in bulk: one JSON object {kind, input} per line of input, one {result} per line of output.
    """
    if batch:
        from bsync_assets.explain.machine import answer_batch

        for answer in answer_batch(sys.stdin.buffer, columns=verbose):
            print(answer)
    elif context.invoked_subcommand is None:
        print(context.get_help())


outbound = typer.Typer(no_args_is_help=True, help="Segments on their way to destinations.")
app.add_typer(outbound, name="outbound")

DestinationsOption = Annotated[list[int] | None, typer.Option("--destination", "-d", help="ID of a destination; default all.")]
LatestDayOption = Annotated[date | None, typer.Option("--day", parser=parse_day, help="Business day; default the last one run.")]
FullOption = Annotated[bool, typer.Option("--full", help="Everything current, not only what changed.")]


@contextmanager
def _outbound(destinations: list[int] | None, day: date | None) -> Iterator[tuple[Any, Catalog, date, list[int]]]:
    """(connection of the one writer, catalog, day, destinations) for the commands below."""
    import duckdb

    from bsync_assets.warehouse.lake import attach, single_writer
    from bsync_assets.warehouse.publish import last_day_run

    catalog = open_workspace()
    for number in destinations or ():
        if number not in catalog.destinations:
            raise Stop(f"there is no destination {number} in catalog/destinations.yaml", 2)
    day = day or last_day_run(catalog.home)
    if day is None:
        raise Stop("no day was run yet")
    with single_writer(catalog.home), duckdb.connect() as con:
        attach(con, catalog.home)
        yield con, catalog, day, destinations or list(catalog.destinations)


@outbound.command("plan")
def outbound_plan(
    destination: DestinationsOption = None, day: LatestDayOption = None, full: FullOption = False, as_json: JsonOption = False
) -> None:
    """What would go out for a day; nothing is sent or written."""
    from bsync_assets.assets.outbound_files import preview

    with _outbound(destination, day) as (con, catalog, of_day, numbers):
        rows = preview(con, catalog, of_day, numbers, full=full)
    print_rows(rows, list(rows[0]) if rows else [], as_json)


@outbound.command("send")
def outbound_send(
    destination: DestinationsOption = None, day: LatestDayOption = None, full: FullOption = False, as_json: JsonOption = False
) -> None:
    """Send what is open and due; with `--full` a full delivery now. A delivered day is not rendered again."""
    from bsync_assets.assets.outbound_files import deliver_segments
    from bsync_assets.assets.outbound_files.alerts import send_alerts

    with _outbound(destination, day) as (con, catalog, of_day, numbers):
        outcomes = deliver_segments(con, catalog, of_day, numbers, full=full)
        send_alerts(catalog, of_day, outcomes)
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

    with _outbound([destination], day) as (con, catalog, of_day, _):
        try:
            names = resend(con, catalog, catalog.destinations[destination], of_day)
        except (NotPlanned, PlaceError) as error:
            raise Stop(str(error)) from None
    print_rows([{"name": name} for name in names], ["name"], as_json)


@app.command()
def release(destination: Annotated[int, typer.Argument(help="ID of a destination.")]) -> None:
    """Let deliveries go that are held for their unusual volume, and send them."""
    from bsync_assets.assets.outbound_files import deliver_segments, history

    with _outbound([destination], None) as (con, catalog, day, numbers):
        if not history.release(con, destination):
            raise Stop(f"nothing is held for destination {destination}")
        outcome = deliver_segments(con, catalog, day, numbers)[destination]
    print(f"destination {destination}: {outcome['status']}" + (f", {outcome['why']}" if outcome["why"] else ""))
    if outcome["status"] in ("failed", "held"):
        raise typer.Exit(1)


@explain.command("name")
def explain_name(
    name: Annotated[str, typer.Argument(help="A file name, or partner/date=YYYY-MM-DD/name.")], as_json: JsonOption = False
) -> None:
    """What a file name says, or why such a file is refused."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_name(name, _catalog_if_any()), as_json)


@explain.command("line")
def explain_line(
    line: Annotated[str, typer.Argument(help="One line; \\t stands for a TAB.")],
    file: Annotated[
        str | None, typer.Option("--file", help="Name of the file it is from; else a data file of customer IDs.", metavar="NAME")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What a line of a data file or a row of a sync file says, or why it is not stored."""
    from bsync_assets.exchange.names import NameRefused
    from bsync_assets.explain import people

    try:
        context = people.line_context(file, _catalog_if_any())
    except NameRefused as refusal:
        raise Stop(f"a file named {file!r} is refused: {refusal.code}; see: bsync explain name {file}", 2) from None
    if "\n" in line.rstrip("\r\n"):
        raise Stop("that is more than one line; explain them one by one, or use bsync validate", 2)
    _show_explanation(people.explain_line(line if "\t" in line else line.replace("\\t", "\t"), context), as_json)


@explain.command("url")
def explain_url(url: Annotated[str, typer.Argument(help="A call of the ID-sync service.")], as_json: JsonOption = False) -> None:
    """What a call of the ID-sync service says."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_url(url), as_json)


@explain.command("rule")
def explain_rule(
    rule: Annotated[str, typer.Argument(help="A trait rule.")],
    signals: Annotated[list[str] | None, typer.Argument(help="Signals of one record, as key=value.", metavar="KEY=VALUE")] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether a record of these signals fulfils a trait rule, comparison by comparison; or where the rule is wrong."""
    from bsync_assets.explain import people

    pairs = [tuple(signal.split("=", 1)) for signal in signals or ()]
    odd = next((pair[0] for pair in pairs if len(pair) < 2), None)
    if odd is not None:
        raise Stop(f"expected signals like price=12, got {odd!r}", 2)
    _show_explanation(people.explain_rule(rule, [(pair[0], pair[1]) for pair in pairs]), as_json)


@explain.command("segment")
def explain_segment(
    expression: Annotated[str, typer.Argument(help="A segment expression, like '1T AND NOT 2T'.")], as_json: JsonOption = False
) -> None:
    """What a segment expression asks for, with the traits of the catalog; or where it is wrong."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_segment(expression, _catalog_if_any()), as_json)


class TemplateKind(StrEnum):
    """Where a template stands."""

    name = "name"
    header = "header"
    content = "content"


@explain.command("template")
def explain_template(
    template: Annotated[str, typer.Argument(help="A template of a destination.")],
    kind: Annotated[TemplateKind, typer.Option("--kind", help="What it is the template of.")] = TemplateKind.content,
    as_json: JsonOption = False,
) -> None:
    """What a template gives, with made-up values; or where it is wrong."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_template(template, kind.value), as_json)


def _catalog_if_any() -> Catalog | None:
    from bsync_assets.catalog import workspace_home

    return open_workspace() if (workspace_home() / "bsync.yaml").is_file() else None


def _show_explanation(explanation: Explanation, as_json: bool) -> None:
    """Facts with their rules; or the refusal, with a caret below the place. Exit code 1 for a refusal."""
    if as_json:
        print(json.dumps({"result": explanation.result}))
    elif explanation.refused is None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for fact in explanation.facts:
            table.add_row(escape(fact.what), escape(fact.meaning), f"[dim]{escape(fact.rule)}[/]")
        console().print(table)
    else:
        if explanation.pointer is not None:
            text, column = explanation.pointer
            print(f"  {text}\n  {' ' * (column - 1)}^")
        print(f"{explanation.refused.what} ({explanation.refused.rule}): {explanation.refused.meaning}")
    raise typer.Exit(0 if explanation.refused is None else 1)


@contextmanager
def _reading(day: date | None) -> Iterator[tuple[Any, Catalog, date]]:
    """(connection to the lake, catalog, day) for commands that only look; the day is the last one run unless given."""
    import duckdb

    from bsync_assets.warehouse.lake import attach
    from bsync_assets.warehouse.publish import last_day_run

    catalog = open_workspace()
    day = day or last_day_run(catalog.home)
    if day is None:
        raise Stop("no day was run yet")
    with duckdb.connect() as con:
        attach(con, catalog.home)
        yield con, catalog, day


def _print_answer(answer: Mapping[str, Any], lines: Sequence[str], as_json: bool) -> None:
    print(json.dumps(answer, default=str) if as_json else "\n".join(lines))


@app.command("why")
def why(
    segment: Annotated[int, typer.Option("--segment", "-s", help="ID of the segment.")],
    profile: Annotated[str, typer.Option("--id", help="The ID, like 0:0123... or 1002:ann.", metavar="DPID:ID")],
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an ID is, or is not, in a segment: down to trait, realization, file and line, time to live, link and opt-out."""
    from bsync_assets.assets.segment_members.why import in_words, why_member

    dpid, colon, name = profile.partition(":")
    if not colon or not dpid.isdecimal() or not name:
        raise Stop(f"expected an ID like 0:0123... or 1002:ann, got {profile!r}", 2)
    with _reading(day) as (con, catalog, of_day):
        try:
            answer = why_member(con, catalog, segment, (int(dpid), name), of_day)
        except LookupError as error:
            raise Stop(str(error.args[0]), 2) from None
    _print_answer(answer, in_words(answer), as_json)


preview = typer.Typer(no_args_is_help=True, help="What a segment or trait rule would do, before it goes live.")
app.add_typer(preview, name="preview")


@preview.command("segment")
def preview_segment_(
    expression: Annotated[str, typer.Argument(help="A segment expression, like '1T AND NOT 2T'.")],
    segment: Annotated[int | None, typer.Option("--segment", "-s", help="Compare with it, and merge as it does.")] = None,
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who would be in it now, compared with the segment as it is, and how many of them each destination could be told of."""
    from bsync_assets.assets.segment_members.preview import preview_segment
    from bsync_assets.rules.expressions import RuleError

    with _reading(day) as (con, catalog, of_day):
        try:
            answer = preview_segment(con, catalog, expression, of_day, segment)
        except RuleError as error:
            raise Stop(f"the expression is refused: {error}", 2) from None
        except LookupError as error:
            raise Stop(str(error.args[0]), 2) from None
    reach = answer["addressable"]
    lines = [f"{answer['members']} members at the end of {of_day}: {answer['devices']} devices, {answer['people']} people"]
    if segment is not None:
        moves = f"{answer['kept']} stay, {answer['gained']} come, {answer['lost']} go"
        lines.append(f"segment {segment} has {answer['current']}: {moves}")
    lines += [f"destination {number} could be told of {count}" for number, count in reach.items()]
    _print_answer(answer, lines, as_json)


@preview.command("rule")
def preview_rule_(
    rule: Annotated[str, typer.Argument(help="A trait rule, like 'page == \"tent guide\"'.")],
    days: Annotated[int, typer.Option("--days", min=1, help="How many days of visits to look at.")] = 7,
    day: LatestDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many of the last days' visits would realize a rule-based trait with this rule."""
    from bsync_assets.assets.segment_members.preview import preview_rule
    from bsync_assets.rules.expressions import RuleError

    with _reading(day) as (con, _, of_day):
        try:
            answer = preview_rule(con, rule, of_day, days)
        except RuleError as error:
            raise Stop(f"the rule is refused: {error}", 2) from None
    visits = f"{answer['realizations']} of {answer['events']} visits from {answer['first']} to {of_day}"
    lines = [f"{visits} would realize it, by {answer['devices']} devices"]
    _print_answer(answer, lines, as_json)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """How the workspace stands: days and partners, late or missing files, files that wait for a run, receipts not sent."""
    from bsync_assets.status import workspace_status

    found = workspace_status(open_workspace())
    if as_json:
        print(json.dumps(found, default=json_value))
        return
    if found["days"]:
        print_rows([day | {"missing": "MISSING" if day["missing"] else ""} for day in found["days"]], list(found["days"][0]))
    else:
        print("no day was run yet")
    waiting = found["waiting"]
    if waiting["days"]:
        span = f"{waiting['days'][0]} to {waiting['days'][-1]}" if len(waiting["days"]) > 1 else str(waiting["days"][0])
        print(f"waiting for a run: files of {', '.join(waiting['partners'])}, {span}")
    for mail in found["unsent"]:
        print(f"not sent: {mail['kind']} of {mail['partner']}, {mail['day']}: {mail['last_error'] or 'not tried yet'}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON, one object per line.", exists=True, dir_okay=False)],
) -> None:
    """Bring state from an older system: links, hashed e-mails, trait memberships, opt-outs, activity.

    It holds at the start of the first day (`account.start`), so import before the first run; a second import adds to the first.
    All or nothing: a bad line is named, and then nothing is taken. Times are UTC unless they say otherwise.

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


keys = typer.Typer(no_args_is_help=True, help="The platform's own PGP key pair, to which partners encrypt their files.")
app.add_typer(keys, name="keys")


@keys.command("make")
def make_keys(
    expires: Annotated[str, typer.Option(help="How long it is valid, as gpg takes it: 2y, 18m, never.")] = "2y",
) -> None:
    """Make the key pair of this workspace, once; the private key goes into `pgp.key_file`, readable by you alone.

    The passphrase is taken from the environment variable that `pgp.passphrase_env` names (BSYNC_PGP_PASSPHRASE); without one the
    key is not protected by itself.
    """
    from bsync_assets.transport.pgp import PgpError, make_key

    catalog = open_workspace()
    settings = catalog.settings
    if settings.pgp.key_file is None:
        raise Stop("bsync.yaml names no pgp.key_file to write the private key to", 2)
    file = catalog.home / settings.pgp.key_file
    if file.exists():
        raise Stop(f"{file} exists; a key that files may be encrypted to is never written over")
    try:
        private = make_key(
            settings.account.name, settings.mail.sender, os.environ.get(settings.pgp.passphrase_env or "") or None, expires
        )
    except PgpError as error:
        raise Stop(str(error)) from None
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(private)
    print(f"private key in {file}: keep a copy of it elsewhere; `bsync keys export` prints what partners need")


@keys.command("export")
def export_key(
    partner: Annotated[str | None, typer.Option("--partner", help="The key of this partner, if it has one of its own.")] = None,
) -> None:
    """Print the public key, in armored text, for partners to encrypt their files to."""
    from bsync_assets.assets.inbound_files import private_key
    from bsync_assets.transport.pgp import PgpError, load_key, public_part

    catalog = open_workspace()
    if partner is not None and partner not in catalog.partners:
        raise Stop(f"there is no partner {partner!r}, only {', '.join(catalog.partners)}", 2)
    try:
        key = private_key(catalog, partner) if partner else load_key(catalog.settings.pgp, catalog.home)
        if key is None:
            raise Stop("there is no private key yet; `bsync keys make` makes one")
        print(public_part(key), end="")
    except PgpError as error:
        raise Stop(str(error)) from None


if __name__ == "__main__":
    main()
