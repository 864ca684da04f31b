"""`bsync status`: how a workspace stands. Is everything all right, and if not, what to do; days that were run, what came and was
answered; what waits.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from bsync_assets import connect
from bsync_assets.assets import reports
from bsync_assets.assets.arrivals import new_arrivals
from bsync_assets.assets.reports import report_file
from bsync_assets.assets.worries import find_worries
from bsync_assets.catalog import Catalog
from bsync_assets.sqlfiles import one, sql
from bsync_assets.warehouse.lake import fetch_all
from bsync_assets.warehouse.publish import published_file

SHOWN_DAYS = 7


def workspace_status(catalog: Catalog) -> dict[str, Any]:
    """{"all_right": nothing needs a person, "worries": see `find_worries`, "last_day_run", "report": where the page of that day
    lies, "days": one row per recent day and partner, "waiting": {"days", "partners"} of files not seen by a run, "unsent":
    messages with what the mail server said last}.
    """
    status: dict[str, Any] = {
        "all_right": True, "worries": [], "last_day_run": None, "report": None, "days": [], "unsent": [],
    }  # fmt: skip
    if published_file(catalog.home).exists():
        with connect(catalog.home) as views:
            status["last_day_run"] = one(views, "SELECT max(day) FROM runs")
            status["report"] = _report(catalog, status["last_day_run"])
            wanted = {"days": SHOWN_DAYS, "partners": list(catalog.partners)}
            status["days"] = fetch_all(views, sql(__file__, "status.sql"), wanted)
            status["unsent"] = fetch_all(views, sql(reports.__file__, "unsent.sql"), {"day": status["last_day_run"]})
            status["worries"] = find_worries(views, catalog, datetime.now(UTC).replace(tzinfo=None))
            status["all_right"] = all(worry["level"] != "act" for worry in status["worries"])
    status["waiting"] = _waiting(catalog, status["last_day_run"])
    return status


def _report(catalog: Catalog, day: date | None) -> str | None:
    return str(report_file(catalog.home, day)) if day and report_file(catalog.home, day).exists() else None


def _waiting(catalog: Catalog, last: date | None) -> dict[str, list[Any]]:
    """Days and partners of files that no run has seen: those that are late, and those right after the last day run."""
    today = datetime.now(UTC).date()
    next_days = (last or catalog.settings.account.start) + timedelta(days=catalog.settings.late_days)
    found = [arrivals for day in {today, min(today, next_days)} if (arrivals := new_arrivals(catalog, day)) is not None]
    return {
        "days": sorted({day for arrivals in found for day in arrivals.days}),
        "partners": sorted({partner for arrivals in found for partner in arrivals.partners}),
    }
