"""What is not all right: for `bsync status`, the checks in Dagster, the mail to operations. Read from the published views."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb

from bsync_assets.catalog.models import Catalog
from bsync_assets.sqlfiles import sql
from bsync_assets.warehouse.lake import fetch_all

#: The checks, and what each one says when it holds.
CHECKS = {
    "receipts_balance": "Every receipt adds up, to the last line.",
    "nothing_stuck": "No message, delivery or file waits for something.",
    "files_on_time": "Every partner delivered in its own rhythm, and no day is left open.",
    "usual_volume": "Volume and match rate of every source are within the band of their own history.",
}


def find_worries(views: duckdb.DuckDBPyConnection, catalog: Catalog, now: datetime) -> list[dict[str, Any]]:
    """{"check", "level": "act" or "watch", "kind", "day", "who", "what", "remedy"} of all that is not all right at `now` (UTC).

    What needs a person (`act`) comes first. A delivery that is late is watched, by more than a day it needs a person (OUT-112).
    """
    destinations = [number for number, destination in catalog.destinations.items() if destination.method != "http"]
    params = {"now": now, "destinations": destinations, "partners": list(catalog.partners)}
    return fetch_all(views, sql(__file__, "worries.sql"), params)
