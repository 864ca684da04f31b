"""What arrived since the last run: files of today and late ones.

The arrival sensor asks here; so a file is answered with a receipt within minutes, not next morning.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from bsync_assets.assets.inbound_files import open_inboxes
from bsync_assets.catalog.models import Catalog
from bsync_assets.transport.drops import dropped_files
from bsync_assets.transport.places import PlaceError
from bsync_assets.warehouse.publish import published_file

log = logging.getLogger("bsync.arrivals")


@dataclass(frozen=True)
class Arrivals:
    """Files that no finished run has seen: the days and partners to run for them, and what tells this set from any other."""

    days: frozenset[date]
    partners: frozenset[str]
    key: str


def new_arrivals(catalog: Catalog, today: date) -> Arrivals | None:
    """Files of today and of the days before within `late_days`, by name, size and time; None when all were seen.

    An inbox that cannot be listed now is looked at the next time. Reads the published views.
    """
    first = max(catalog.settings.account.start, today - timedelta(days=catalog.settings.late_days))
    seen = _seen(catalog, first)
    days, partners, marks = set(), set(), []
    with open_inboxes(catalog, list(catalog.partners)) as inboxes:
        for partner, inbox in inboxes.items():
            for offset in range((today - first).days + 1):
                day = first + timedelta(days=offset)
                try:
                    dropped = list(dropped_files(inbox.place, partner, day, own=inbox.own, late_days=catalog.settings.late_days))
                except PlaceError as error:
                    log.warning("%s: %s", partner, error)
                    break
                for file in dropped:
                    mark = (file.key, file.found.size, file.arrived_at.replace(tzinfo=None))
                    if mark not in seen:
                        days.add(day)
                        partners.add(partner)
                        marks.append(repr(mark))
    return Arrivals(frozenset(days), frozenset(partners), " ".join(sorted(marks))) if days else None


def _seen(catalog: Catalog, first: date) -> Collection[tuple[Any, ...]]:
    file = published_file(catalog.home)
    if not file.exists():
        return ()
    with duckdb.connect(str(file), read_only=True) as views:
        query = "SELECT key, size_bytes, arrived_at FROM inbound_files WHERE day >= $first"
        return set(views.execute(query, {"first": first}).fetchall())
