"""Write the pages and pictures of docs/ that the code decides: the tables, the codes, the lineage graph.

    python docs/make_docs.py

A test fails when what is committed is not what this makes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import dagster as dg

from bsync_assets.assets.graph import build_defs
from bsync_assets.exchange.reasons import DATA_COUNTERS, FILE_REASONS, LINE_REASONS, SYNC_COUNTERS, Counter
from bsync_assets.mail.document import schema_text
from bsync_assets.warehouse.tables import TABLES, VIEWS, Table

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
    lines += [f"- [{table.name}](#{table.name}): {table.comment}" for table in (*TABLES, *VIEWS)]
    for table in (*TABLES, *VIEWS):
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


def lineage() -> str:
    """The lineage graph of the demo as SVG: a row per depth, an arrow per dependency that no longer way implies."""
    graph = build_defs(home=DOCS.parent / "data").resolve_asset_graph()
    parents = {key: set(graph.get(key).parent_keys) for key in graph.toposorted_asset_keys}
    depth: dict[dg.AssetKey, int] = {}
    above: dict[dg.AssetKey, set[dg.AssetKey]] = {}
    for key, direct in parents.items():
        depth[key] = 1 + max((depth[parent] for parent in direct), default=-1)
        above[key] = direct.union(*(above[parent] for parent in direct))
    levels: list[list[dg.AssetKey]] = [[] for _ in range(1 + max(depth.values()))]
    for key in sorted(parents, key=lambda key: (-len(key.path), key)):  # what partners have first
        levels[depth[key]].append(key)
    middle = (max(len([key for key in level if len(key.path) > 1]) for level in levels) - 1) / 2
    words_x = 20 + max(map(len, levels)) * COLUMN
    place: dict[dg.AssetKey, tuple[float, float]] = {}
    words: list[str] = []
    for row, level in enumerate(levels):
        y = ROW * (row + 0.5)
        for column, key in enumerate(level):
            place[key] = COLUMN * (0.5 + (middle if len(level) == 1 else column)), y
        stages = {key.path[-1]: graph.get(key).description or "" for key in level}
        lines = [line for text in stages.values() for line in textwrap.wrap(text.replace("`", ""), 76)]
        top = y + 5 - 8 * (len(lines) - 1)
        words += [f'<text x="{words_x}" y="{top + 16 * number:g}">{escape(line)}</text>' for number, line in enumerate(lines)]
    arrows = [
        _arrow(place[parent], place[key])
        for key, direct in parents.items()
        for parent in sorted(direct)
        if not any(parent in above[other] for other in direct)
    ]
    nodes = [_node(key.to_user_string(), *place[key]) for key in parents]
    size = f"0 0 {words_x + 480} {ROW * len(levels)}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="sans-serif" font-size="13">'
    return "\n".join([head, STYLE, *arrows, *nodes, *words, "</svg>"]) + "\n"


ROW, COLUMN, NODE_WIDTH = 66, 184, 172
STYLE = """<style>
  text { fill: #333 } .name { fill: #111; font-family: monospace; font-size: 12px; text-anchor: middle }
  rect { fill: #eef0ff; stroke: #6b6fd6 } path { fill: none; stroke: #9a9da8; stroke-width: 1.3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ccc } .name { fill: #eee } rect { fill: #2a2b45; stroke: #8f93f0 } path { stroke: #777 }
  }
</style>"""


def _node(name: str, x: float, y: float) -> str:
    box = f'<rect x="{x - NODE_WIDTH / 2:g}" y="{y - 15:g}" width="{NODE_WIDTH}" height="30" rx="6"/>'
    return f'{box}<text class="name" x="{x:g}" y="{y + 4:g}">{escape(name)}</text>'


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Straight down to the row above the end, then over to it."""
    (x1, y1), (x2, y2) = (start[0], start[1] + 15), (end[0], end[1] - 15)
    turn = y2 - (ROW - 30)
    curve = f"M{x1:g} {y1:g} V{turn:g} C{x1:g} {turn + 20:g} {x2:g} {y2 - 24:g} {x2:g} {y2:g}"
    return f'<path d="{curve} m-4 -6 l4 6 l4 -6"/>'


FILES: Mapping[str, Callable[[], str]] = {
    "tables.md": tables,
    "codes.md": codes,
    "lineage.svg": lineage,
    "receipt.schema.json": schema_text,
    "../bsync_assets/mail/receipt.schema.json": schema_text,  # for those who install the package
}


def main() -> None:
    """Write every page and say where."""
    for name, page in FILES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(DOCS / name)


if __name__ == "__main__":
    main()
