"""What Dagster tells operations: the checks at the end of a run, and mail about runs that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg

from bsync_assets import connect
from bsync_assets.assets.worries import CHECKS, find_worries
from bsync_assets.catalog.models import Catalog
from bsync_assets.mail.alert import alert

PUBLISHED = dg.AssetKey("published")


def check_specs() -> list[dg.AssetCheckSpec]:
    """A handful for the whole account, since a check costs as much as an asset; none blocks, for it would stop every partner."""
    return [dg.AssetCheckSpec(name, asset=PUBLISHED, description=holds) for name, holds in CHECKS.items()]


def check(catalog: Catalog, day: date) -> Iterator[dg.AssetCheckResult]:
    """The outcome of every check, from the views just published. What was found when a day was closed is mailed, once.

    Figures that do not add up are a fault of ours (ERROR); all else is for people to look at (WARN).
    """
    now = datetime.now(UTC)
    with connect(catalog.home) as views:
        worries = find_worries(views, catalog, now.replace(tzinfo=None))
    if worries and day < now.date():
        closed_at = datetime.combine(day + timedelta(days=1), time(5), UTC)
        alert(
            catalog.settings, catalog.home, f"worries.{day}", closed_at, f"{day}: {len(worries)} to look at", _in_words(worries)
        )
    for name in CHECKS:
        found = [worry for worry in worries if worry["check"] == name]
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=PUBLISHED,
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if name == "receipts_balance" else dg.AssetCheckSeverity.WARN,
            metadata={"found": len(found)} | ({"worries": dg.MetadataValue.md(_as_table(found))} if found else {}),
        )


def _in_words(worries: Sequence[dict[str, Any]]) -> str:
    said = [f"{w['kind']}, {w['who']}, {w['day']}: {w['what']}\n    {w['remedy']}\n" for w in worries]
    return "\n".join([*said, "bsync status shows how things stand now.\n"])


def _as_table(worries: Sequence[dict[str, Any]]) -> str:
    columns = ("kind", "day", "who", "what", "remedy")
    rows = [" | ".join(str(worry[column]).replace("|", "\\|") for column in columns) for worry in worries]
    return "\n".join(f"| {row} |" for row in (" | ".join(columns), " | ".join("---" for _ in columns), *rows))


def failed_runs(catalog: Catalog) -> dg.SensorDefinition:
    """A run that failed is mailed to operations, once, with what its steps said."""

    @dg.run_failure_sensor(name="failed_runs")
    def sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        tags = run.tags
        first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
        days = tags.get("dagster/partition") or (f"{first} to {last}" if first != last else first) or "no day"
        errors = [
            f"{event.step_key}: {event.step_failure_data.error.to_string() if event.step_failure_data.error else event.message}"
            for event in context.get_step_failure_events()
        ]
        text = "\n\n".join([
            f"Run {run.run_id} of {days} failed. Partners' data is not the cause: bad data never fails a run.",
            *(errors or [context.failure_event.message or "Dagster does not say why."]),
            "Once it is mended, run the days again: that changes nothing that was done already, and sends nothing twice.\n",
        ])  # fmt: skip
        at = datetime.fromtimestamp(context.instance.get_run_stats(run.run_id).end_time or 0, UTC)
        alert(catalog.settings, catalog.home, f"run.{run.run_id}", at, f"run failed: {days}", text)

    return sensor
