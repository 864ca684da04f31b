"""A receipt whose figures add up, to be varied by each test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bsync_assets.mail.receipt import LABELS, FileLine, Receipt

PREFIX = "acme/date=2026-01-05/"
FIRST = {
    "records_received": 1204,
    "lines_over_length": 1,
    "lines_over_user_limit": 3,
    "records_processed": 1200,
    "format_errors": 12,
    "invalid_aam_id": 0,
    "invalid_device_id": 0,
    "opted_out": 8,
    "no_matching_aam_id": 180,
    "no_trait_realized": 100,
    "stored_records": 900,
}
SECOND = dict.fromkeys(FIRST, 0) | {
    "records_received": 100,
    "records_processed": 100,
    "no_matching_aam_id": 10,
    "stored_records": 90,
}
EFFECT = {
    "total_devices": 950,
    "total_signals": 23456,
    "total_unused_signals": 4321,
    "total_realized_traits": 3210,
    "total_removed_traits": 77,
    "traits_failed_validation": 5,
    "records_with_failed_traits": 4,
    "dropped_inactive": 2,
    "stored_unmatched": 0,
}
SYNC = {
    "records_received": 50,
    "lines_over_length": 1,
    "records_processed": 49,
    "format_errors": 4,
    "invalid_aam_id": 3,
    "invalid_device_id": 2,
    "no_matching_aam_id": 1,
    "opted_out": 5,
    "stored_records": 34,
    "new_mappings": 20,
    "refreshed_mappings": 14,
    "evicted_mappings": 6,
}
DATA_FILES = (
    FileLine(f"{PREFIX}ftp_dpm_1001_1002_1767571200.sync.1.gz", FIRST),
    FileLine(f"{PREFIX}ftp_dpm_1001_1002_1767571200.sync.2.gz", SECOND),
)
KINDS: dict[str, dict[str, Any]] = {
    "data": {
        "target": 1002,
        "counters": {name: FIRST[name] + SECOND[name] for name in FIRST} | EFFECT,
        "files": DATA_FILES,
    },
    "id_sync": {
        "dpid": 0,
        "dpids": (0, 1001),
        "counters": SYNC,
        "files": (FileLine(f"{PREFIX}adobe_id_0_1001_1767571200.sync", SYNC),),
    },
    "refused": {
        "counters": {},
        "files": (
            FileLine(f"{PREFIX}ftp_dpm_1001_17.sync", {}, "bad_timestamp"),
            FileLine(
                f"{PREFIX}ftp_dpm_4242_1767571200.sync",
                {},
                "unknown_dpid",
                "data source 4242 is not declared",
                "ask operations to declare it, then send the file again",
            ),
            FileLine(f"{PREFIX}ftp_dpm_1001_18.sync", {}, "bad_timestamp"),
        ),
    },
}


def _receipt_of(kind: str = "data", **changes: Any) -> Receipt:
    common: dict[str, Any] = {
        "kind": kind,
        "day": date(2026, 1, 5),
        "partner": "acme",
        "dpid": 1001,
        "target": None,
        "dpids": (),
        "batch": 1,
        "revision": 1,
        "run_id": "5f0c2a9e",
        "previous": None,
        "why": None,
        "job_start": datetime(2026, 1, 6, 5, 0, 2, tzinfo=UTC),
        "job_end": datetime(2026, 1, 6, 5, 0, 49, tzinfo=UTC),
        "balanced": True,
    }
    return Receipt(**(common | KINDS[kind] | changes))


@pytest.fixture(scope="session")
def receipt_of() -> Callable[..., Receipt]:
    """receipt_of(kind, **changes) → a balanced receipt: data of two files, ID sync of one, refused three."""
    assert {kind: set(figures["counters"]) for kind, figures in KINDS.items()} == {
        kind: set(labels) for kind, labels in LABELS.items()
    }
    return _receipt_of
