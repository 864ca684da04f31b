"""Commands that judge what is shown to them and store nothing: files, names, lines, rules, templates."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bsync_assets.cli.terminal import JsonOption, Stop, app, catalog_if_any, console

if TYPE_CHECKING:
    from bsync_assets.explain.people import Explanation


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Files as they would be delivered.", exists=True, dir_okay=False)],
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="NAME", help="Who sends them; else their folder says so, or whoever may.")
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

    catalog = catalog_if_any()
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


@explain.command("name")
def explain_name(
    name: Annotated[str, typer.Argument(help="A file name, or partner/date=YYYY-MM-DD/name.")], as_json: JsonOption = False
) -> None:
    """What a file name says, or why such a file is refused."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_name(name, catalog_if_any()), as_json)


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
        context = people.line_context(file, catalog_if_any())
    except NameRefused as refusal:
        raise Stop(f"a file named {file!r} is refused: {refusal.code}; see: bsync explain name {file}", 2) from None
    if "\n" in line.rstrip("\r\n"):
        raise Stop("that is more than one line; explain them one by one, or use bsync validate", 2)
    _show_explanation(people.explain_line(line if "\t" in line else line.replace("\\t", "\t"), context), as_json)


@explain.command("url")
def explain_url(
    url: Annotated[str, typer.Argument(help="A call of the service, like '/ibs:dpid=1001&dpuuid=ann'.")],
    as_json: JsonOption = False,
) -> None:
    """What a call of the ID-sync service says."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_url(url), as_json)


@explain.command("rule")
def explain_rule(
    rule: Annotated[str, typer.Argument(help="A trait rule, like 'price > 10'.")],
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

    _show_explanation(people.explain_segment(expression, catalog_if_any()), as_json)


class TemplateKind(StrEnum):
    """Where a template stands."""

    name = "name"
    header = "header"
    content = "content"


@explain.command("template")
def explain_template(
    template: Annotated[str, typer.Argument(help="A template of a destination, like '<DP_UUID>'.")],
    kind: Annotated[TemplateKind, typer.Option("--kind", help="What it is the template of.")] = TemplateKind.content,
    as_json: JsonOption = False,
) -> None:
    """What a template gives, with made-up values; or where it is wrong."""
    from bsync_assets.explain import people

    _show_explanation(people.explain_template(template, kind.value), as_json)


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
