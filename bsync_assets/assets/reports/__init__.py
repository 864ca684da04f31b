"""Stage `day_report`: one HTML file per day for people, over the published views, so that its figures are theirs.

Each `.sql` file of this room is a part of the page, under its name. The page needs nothing outside itself: no script, no font, no
picture elsewhere. It names partners, files and traits, never a visitor, and no table is changed. Running the day again writes it
anew, from what is published then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bsync_assets import connect
from bsync_assets.assets.reports import charts
from bsync_assets.assets.reports.advice import advice
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.reasons import FILE_REASONS, LINE_REASONS
from bsync_assets.sqlfiles import sql
from bsync_assets.warehouse.lake import fetch_all, lake_folder

HERE = Path(__file__).parent
#: So many rows of a table are in sight, the rest is a click away; of segments and keys there are at most so many.
ROWS_SHOWN, LISTED = 12, 100
#: So many segments or traits are in a picture.
PICTURED = 10


def report_file(home: Path, day: date) -> Path:
    """Where the report of a day lies."""
    return lake_folder(home) / "reports" / f"{day}.html"


def write_report(catalog: Catalog, day: date) -> dict[str, int]:
    """Write the report of a day that is published; answers headline figures of it, and how many rows of the day those reports
    have that are views.
    """
    with connect(catalog.home) as views:
        found = _ask(views, catalog, day)
    file = report_file(catalog.home, day)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{day}.html")
    draft.write_text(_page().render(found), encoding="utf-8")
    draft.replace(file)
    rows = {
        "onboarding_status": sum(p["accepted"] + p["refused"] + p["duplicate"] for p in found["partners"]),
        "match_rates": len(found["sources"]),
        "unused_signals": sum(row["pairs"] for row in (*found["unused"], *found["near"])),
    }
    figures: dict[str, int] = found["total"] | {"advice": len(found["advice"])} | rows
    return figures


def _ask(views: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, Any]:
    """Everything that the page shows, by the names it knows."""
    views.execute("SET parquet_metadata_cache = true")  # the same files are read by many of the queries
    given: dict[str, Any] = {"day": day, "partners": list(catalog.partners), "segments": []}
    found: dict[str, Any] = {}
    for query in sorted(HERE.glob("*.sql"), key=lambda file: (file.stem == "overlaps", file.stem)):  # of the largest segments
        text = sql(__file__, query.name)
        found[query.stem] = fetch_all(views, text, {name: value for name, value in given.items() if f"${name}" in text})
        if query.stem == "segments":
            given["segments"] = [row["segment_id"] for row in found["segments"][:PICTURED] if row["members"]]
    return found | {
        "account": catalog.settings.account.name,
        "catalog": catalog,
        "day": day,
        "is_over": datetime.now(UTC).date() > day,
        "total": _totals(found),
        "advice": advice(catalog, found),
        "file_reasons": FILE_REASONS,
        "line_reasons": {reason.code: reason.meaning for reason in LINE_REASONS},
        "pictured": given["segments"],
        "shared": _both_ways(found["overlaps"]),
        "pictures": _pictures(catalog, found),
        "ROWS_SHOWN": ROWS_SHOWN,
        "LISTED": LISTED,
    }


def _totals(found: Mapping[str, Any]) -> dict[str, int]:
    """Sums of the day, for the head of the page and for the UI."""
    partners, sources = found["partners"], found["sources"]
    return {
        "files": sum(p["accepted"] for p in partners),
        "refused": sum(p["refused"] for p in partners),
        "missing": sum(p["is_missing"] for p in partners),
        "received": sum(p["received"] for p in partners),
        "stored": sum(p["stored"] for p in partners),
        "matchable": sum(s["records"] for s in sources),
        "matched": sum(s["matched"] for s in sources),
        "receipts": len(found["receipts"]),
        "unsent": len(found["unsent"]),
        "deliveries": sum(d["status"] == "delivered" for d in found["deliveries"]),
        "opt_outs": sum(row["ids"] for row in found["opt_outs"]),
    }


def _both_ways(overlaps: Sequence[Mapping[str, int]]) -> dict[tuple[int, int], int]:
    """Shared IDs of each two segments."""
    shared = {(row["segment_id"], row["other_id"]): row["shared"] for row in overlaps}
    return shared | {(other, one): count for (one, other), count in shared.items()}


def _pictures(catalog: Catalog, found: Mapping[str, Any]) -> dict[str, Any]:
    days = [row["day"] for row in found["records_by_day"]]
    outcomes = {"stored": "stored", "no match": "unmatched", "no trait": "no_trait", "broken": "broken"}
    rates: dict[str, dict[date, float]] = {}
    for row in found["match_rates_by_day"]:
        rates.setdefault(f"{row['partner']} {row['dpid']}", {})[row["day"]] = row["match_rate"]
    segments = {row["segment_id"]: row["members"] for row in found["segments"][:PICTURED]}
    traits = {row["trait_id"]: row["population"] for row in found["traits"][:PICTURED]}
    return {
        "records": charts.stacked(
            "Records of data files",
            days,
            {label: [row[name] for row in found["records_by_day"]] for label, name in outcomes.items()},
        ),
        "rates": charts.lines("Match rates", days, {name: [of.get(day) for day in days] for name, of in rates.items()}),
        "segments": charts.bars("Members of segments", _named(segments, catalog.segments)),
        "traits": charts.bars("Profiles that hold a trait", _named(traits, catalog.traits)),
    }


def _named(values: Mapping[int, int], declared: Mapping[int, Any]) -> dict[str, int]:
    return {f"{number} {declared[number].name}" if number in declared else f"{number}": value for number, value in values.items()}


@cache
def _page() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, finalize=_visible, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["size"] = _size
    return environment.get_template("day_report.html")


def _visible(value: Any) -> Any:
    """Names may hold line feeds, or characters that turn the text around: they show as what they are."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in value)


def _size(count: int) -> str:
    """Bytes for people."""
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:,.1f} {unit}"
    return f"{count} B"
