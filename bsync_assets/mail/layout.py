"""The layout of a message: a list of blocks, printed as plain text or as HTML, so that both say the same.

Not here: what the blocks say (`render`). Their text is taken as it is: one line, escaped for people already.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

_TEXT_WIDTH = 76


@dataclass(frozen=True)
class Heading:
    """A line above what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text, wrapped where it is printed."""

    text: str


@dataclass(frozen=True)
class Names:
    """Names on lines of their own, with the number by which a table refers to them."""

    numbered: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; `align` has one letter per column, l or r."""

    align: str
    rows: tuple[tuple[str, ...], ...]
    head: tuple[str, ...] | None = None


Block = Heading | Paragraph | Names | Table


def as_text(blocks: Iterable[Block]) -> str:
    """Plain text; only names and tables may be wider than 76 characters."""
    return "\n\n".join("\n".join(_text_lines(block)) for block in blocks) + "\n"


def _text_lines(block: Block) -> list[str]:
    match block:
        case Heading(text):
            return [text, "-" * len(text)]
        case Paragraph(text):
            return wrap(text, _TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
        case Names(numbered):
            return [f"{number:>4}  {name}" for number, name in numbered]
        case Table(align, rows, head):
            heads = _stacked(head) if head else []
            widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
            return ["  ".join(map(_padded, row, widths, align)).rstrip() for row in (*heads, *rows)]


def _stacked(head: Sequence[str]) -> list[tuple[str, ...]]:
    """Column heads one word per line, standing on the bottom line, so that columns stay narrow."""
    words = [text.split() for text in head]
    height = max(map(len, words))
    return list(zip(*([""] * (height - len(column)) + column for column in words), strict=True))


def _padded(cell: str, width: int, align: str) -> str:
    return cell.rjust(width) if align == "r" else cell.ljust(width)


# Inline styles, because mail programs drop style sheets. No colour is set but the lines' grey, which reads on
# light and on dark; `color-scheme` lets the reader's own colours in.
_FONT = "font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_CELL = "padding:3px 8px 3px 0;border-bottom:1px solid #999;vertical-align:bottom"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:12px;color-scheme:light dark">
<div style="max-width:720px;margin:0 auto;{font}">
{content}
</div>
</body>
</html>
"""


def as_html(title: str, blocks: Iterable[Block]) -> str:
    """One HTML page without outside references, for any width and for light and dark; all text is escaped."""
    content = "\n".join(_html_block(block) for block in blocks)
    return _PAGE.format(title=html.escape(title), font=_FONT, content=content)


def _html_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f'<h2 style="font-size:17px;margin:24px 0 6px">{html.escape(text)}</h2>'
        case Paragraph(text):
            return f'<p style="margin:0 0 10px;overflow-wrap:anywhere">{html.escape(text)}</p>'
        case Names(numbered):
            items = "\n".join(f"<li>{html.escape(name)}</li>" for _, name in numbered)
            return f'<ol style="margin:0 0 10px;padding-left:28px;word-break:break-all">\n{items}\n</ol>'
        case Table(align, rows, head):
            lines = [_html_row("th", head, align)] if head else []
            lines += [_html_row("td", row, align) for row in rows]
            # At full width a last column of text would drift away from its figures.
            width = "auto" if align.endswith("l") else "100%"
            style = f"width:{width};border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums"
            opening = ['<div style="overflow-x:auto;margin:0 0 10px">', f'<table style="{style}">']
            return "\n".join([*opening, *lines, "</table>", "</div>"])


def _html_row(tag: Literal["th", "td"], cells: Sequence[str], align: str) -> str:
    figure = "text-align:right" + (";white-space:nowrap" if tag == "td" else "")
    styles = {"l": f"{_CELL};text-align:left", "r": f"{_CELL};{figure}"}
    shown = (f'<{tag} style="{styles[side]}">{html.escape(cell)}</{tag}>' for cell, side in zip(cells, align, strict=True))
    return "\n".join(["<tr>", *shown, "</tr>"])  # a line per cell: SMTP limits the length of lines
