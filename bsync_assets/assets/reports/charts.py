"""Pictures of the report: small SVG without colours, fonts or scripts of their own, so that the page decides how they look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

_LABEL = 26  # characters of a name beside a bar
_SIZES = Style(label_font_size=12, major_label_font_size=12, value_font_size=12, legend_font_size=12)  # as the page sets them


def stacked(title: str, days: Sequence[date], series: Mapping[str, Sequence[float]]) -> Markup:
    """Bars per day, one part per series."""
    return _svg(_over_days(pygal.StackedBar, days), title, series)


def lines(title: str, days: Sequence[date], series: Mapping[str, Sequence[float | None]]) -> Markup:
    """A line per series; days without a value are bridged."""
    return _svg(_over_days(pygal.Line, days, dots_size=2.2, range=(0, 100)), title, series)


def bars(title: str, values: Mapping[str, int]) -> Markup:
    """A horizontal bar per name, the first on top."""
    names = list(values)[::-1]
    chart = _chart(
        pygal.HorizontalBar,
        height=56 + 22 * len(names),
        show_legend=False,
        print_values=True,
        print_values_position="top",
        margin_right=44,  # where the value of the longest bar stands
        y_labels_major_count=3,
    )
    chart.x_labels = [name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…" for name in names]
    return _svg(chart, title, {title: [values[name] for name in names]})


def _over_days(kind: Any, days: Sequence[date], **options: Any) -> Any:
    chart = _chart(kind, height=250, legend_at_bottom=True, legend_at_bottom_columns=3, **options)
    chart.x_labels = [f"{day:%m-%d}" for day in days]
    every = max(1, -(-len(days) // 7))
    chart.x_labels_major = chart.x_labels[::-every]
    return chart


def _chart(kind: Any, **options: Any) -> Any:
    usual = {"js": (), "style": _SIZES, "width": 460, "margin": 4, "max_scale": 6, "show_minor_x_labels": False}
    return kind(value_formatter=lambda value: f"{value:,.10g}", **(usual | options))


def _svg(chart: Any, title: str, series: Mapping[str, Sequence[float | None]]) -> Markup:
    """The chart as inline SVG, without what would differ from run to run or reach outside; empty without values."""
    if not any(value for values in series.values() for value in values):
        return Markup("")
    chart.title = None
    for name, values in series.items():
        chart.add(name, list(values))
    tree = chart.render_tree()
    tree.attrib = {"class": "chart", "viewBox": tree.attrib["viewBox"], "role": "img", "aria-label": title}
    for parent in list(tree.iter()):
        parent.attrib.pop("id", None)
        for child in list(parent):
            # comments name the day it was made on, the rest is for scripts that are not there
            if callable(child.tag) or child.tag in ("defs", "desc", "title") or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    return Markup(ElementTree.tostring(tree, encoding="unicode"))
