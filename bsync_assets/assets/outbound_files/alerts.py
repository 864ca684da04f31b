"""Mail to operations about deliveries to look at: blocked mappings, held and failed deliveries (OUT-026, OUT-134)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bsync_assets.catalog.models import Catalog
from bsync_assets.mail.alert import alert


def send_alerts(catalog: Catalog, day: date, outcomes: Mapping[int, Mapping[str, Any]]) -> int:
    """Mail what the outcomes of a day say; answers how many messages went out. The same news of the same day is one message."""
    was_due = datetime.combine(day + timedelta(days=1), time(14), UTC)
    return sum(
        alert(catalog.settings, catalog.home, f"outbound.{day}", was_due, f"{day} destination {number}: {subject}", text)
        for number, outcome in outcomes.items()
        for subject, text in _news(catalog, number, outcome)
    )


def _news(catalog: Catalog, number: int, outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if outcome["status"] == "held":
        yield (
            "delivery held",
            f"The delivery is out of its usual band and waits: {outcome['why']}.\n\n"
            f"If it is right, let it go: bsync release {number}\nUntil then nothing newer goes to this destination.\n",
        )
    if outcome["status"] == "failed":
        yield "delivery failed", f"{outcome['why']}\n\nIt stays open; the next run sends the same files before anything newer.\n"
    if outcome["blocked"]:
        lines = [
            f"segment {block['segment_id']} ({catalog.segments[block['segment_id']].name}): {block['code']}, {_carrier(block)}"
            for block in outcome["blocked"]
        ]
        yield "segments blocked", "These mappings were not sent; all others were:\n\n" + "\n".join(lines) + "\n"


def _carrier(block: Mapping[str, Any]) -> str:
    return f"data source {block['source']}" if str(block["source"]).isdigit() else str(block["source"])
