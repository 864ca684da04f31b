"""Formats results: Markdown tables, and the sections of RESULTS.md, one per benchmark and size."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
TITLE = "# Results\n\nWritten by the benchmarks; each section is replaced when its benchmark runs again.\n"
PACKAGES = ("duckdb", "dagster", "polars", "pandas", "pyarrow")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column to the left, figures to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        aligned = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(aligned)} |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([line(cells[0]), line(rule), *(line(row) for row in cells[1:])])


def machine() -> str:
    """One line: day, processor, cores, memory, system and the versions that matter."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = [f"{package} {_version(package)}" for package in PACKAGES]
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{cpu[1] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        *versions,
    ]
    return "; ".join(parts)


def write_section(title: str, body: str, path: Path = RESULTS) -> None:
    """Put the section `## title` into RESULTS.md, in place of the one with the same title, if any."""
    text = path.read_text() if path.exists() else TITLE
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    section = f"{title}\n\n{machine()}\n\n{body}"
    titles = [old.partition("\n")[0] for old in sections]
    if title in titles:
        sections[titles.index(title)] = section
    else:
        sections.append(section)
    path.write_text("\n\n".join([head.rstrip(), *(f"## {part.rstrip()}" for part in sections)]) + "\n")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
