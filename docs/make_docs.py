"""Write the pages and pictures of docs/ that the code decides: the tables, the codes, the lineage graph.

    python docs/make_docs.py

A test fails when what is committed is not what this makes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bsync_assets.exchange.reasons import DATA_COUNTERS, FILE_REASONS, LINE_REASONS, SYNC_COUNTERS, Counter
from bsync_assets.warehouse.tables import TABLES, Table

DOCS = Path(__file__).parent
HOW = "*Written by `make docs` from {}; not to be edited by hand.*"


def rows(head: list[str], cells: list[list[str]]) -> list[str]:
    """A Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *escaped]]


def views(table: Table) -> str:
    """The published views of a table, in words."""
    if table.kind != "state":
        return ""
    return f"Its state on every kept day is in `{table.name}_by_day`, what changed on each day in `{table.changes}`."


def tables() -> str:
    """Every published table: its columns and its grain."""
    lines = ["# Tables", "", HOW.format("`bsync_assets/warehouse/tables.py`"), ""]
    lines += ["The same texts are in the database: `DESCRIBE`, `duckdb_views()` and `duckdb_columns()` show them.", ""]
    lines += [f"- [{table.name}](#{table.name}): {table.comment}" for table in TABLES]
    for table in TABLES:
        lines += ["", f"## {table.name}", "", table.comment, f"One row per {', '.join(f'`{key}`' for key in table.key)}."]
        lines += [views(table)] if views(table) else []
        columns = [[f"`{column.name}`", column.type.lower(), column.comment] for column in table.columns]
        lines += ["", *rows(["column", "type", "what it says"], columns)]
    return "\n".join(lines) + "\n"


def codes() -> str:
    """Every counter of a receipt, every reason a line or a file is refused for."""

    def counters(title: str, counted: tuple[Counter, ...]) -> list[str]:
        cells = [[c.label, f"`{c.name}`", c.meaning] for c in counted]
        return ["", f"## {title}", "", *rows(["on the receipt", "column", "what it counts"], cells)]

    lines = ["# Figures and codes", "", HOW.format("`bsync_assets/exchange/reasons.py`")]
    lines += counters("Figures of a data receipt", DATA_COUNTERS) + counters("Figures of an ID-sync receipt", SYNC_COUNTERS)
    cells = [[f"`{reason.code}`", reason.meaning, f"`{reason.counter}`", reason.rule] for reason in LINE_REASONS]
    lines += ["", "## Why a line is not stored", "", *rows(["code", "what it means", "counted as", "rule"], cells)]
    refusals = [[f"`{code}`", remedy, rule] for code, (rule, remedy) in FILE_REASONS.items()]
    lines += ["", "## Why a file is refused", "", *rows(["code", "what to do", "rule"], refusals)]
    return "\n".join(lines) + "\n"


FILES: dict[str, Callable[[], str]] = {"tables.md": tables, "codes.md": codes}


def main() -> None:
    """Write every page and say where."""
    for name, page in FILES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(DOCS / name)


if __name__ == "__main__":
    main()
