"""Stage `receipts`: what each batch of files came to, written down once; and what has to be mailed because of it.

A receipt is a document: the same figures again change nothing, other figures make the next revision. The messages that are
due are recorded in the same transaction; stage `receipt_mail` sends them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from bsync_assets.assets.receipt_mail import messages_due
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.exchange.receipts import Kind, balances
from bsync_assets.sqlfiles import sql
from bsync_assets.warehouse.lake import append, fetch_all, transaction
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME

log = logging.getLogger("bsync.receipts")

_COUNTERS: dict[Kind, tuple[str, ...]] = {
    "data": tuple(counter.name for counter in DATA_COUNTERS),
    "id_sync": tuple(counter.name for counter in SYNC_COUNTERS),
}
_TABLES: dict[Kind, str] = {"data": "receipts", "id_sync": "id_sync_receipts"}


def issue_receipts(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date, partners: Sequence[str], run_id: str, started: datetime
) -> dict[str, dict[str, int]]:
    """Write the receipts of the day, and new revisions of earlier ones whose kept records matched today; answers per partner
    how many were issued and how many of those do not balance.

    INB-121 to INB-138, IDS-145 to IDS-147.
    """
    document = {"run_id": run_id, "job_start": started, "job_end": datetime.now(UTC).replace(tzinfo=None, microsecond=0)}
    data = [row | document for row in _revised(con, "data", day, _data_rows(con, day), partners)]
    sync = [row | document for row in _revised(con, "id_sync", day, _sync_rows(con, day), partners)]
    refused = fetch_all(con, """
        SELECT day, partner, batch FROM lake.main.inbound_files
        WHERE day = $day AND status IN ('refused', 'held') AND list_contains($partners, partner) GROUP BY ALL
    """, {"day": day, "partners": list(partners)})  # fmt: skip
    due = messages_due(con, catalog, data, sync, refused)
    with transaction(con):
        for table, rows in (("receipts", data), ("id_sync_receipts", sync), ("mail_outbox", due)):
            rows_table(con, "new_rows", BY_NAME[table].columns, rows)
            append(con, table, "new_rows")
    issued = {partner: {"issued": 0, "unbalanced": 0, "refused": 0} for partner in partners}
    for row in (*data, *sync):
        issued[row["partner"]]["issued"] += 1
        issued[row["partner"]]["unbalanced"] += not row["balanced"]
    for row in refused:
        issued[row["partner"]]["refused"] += 1
    return issued


def _data_rows(con: duckdb.DuckDBPyConnection, day: date) -> Iterator[dict[str, Any]]:
    """Figures of the day's data receipts, and of those of earlier days that records kept since then still change today, or did
    before the day was run again.
    """
    late_days = """
        SELECT origin_day FROM lake.main.late_matches WHERE day = $day
        UNION
        SELECT day FROM lake.main.receipts WHERE as_of = $day AND day < $day
        ORDER BY ALL
    """
    for origin in (*(origin for (origin,) in con.execute(late_days, {"day": day}).fetchall()), day):
        span = {"origin": origin, "day": day}
        emptied = _emptied(con, "data", sql(__file__, "emptied_data.sql"), span)
        for row in (*fetch_all(con, sql(__file__, "data_receipts.sql"), span), *emptied):
            late = row.pop("late_records", 0)
            why = f"{late} records that were kept without a link have one by now ({day})." if origin < day and late else None
            yield row | {"day": origin, "why": why}


def _sync_rows(con: duckdb.DuckDBPyConnection, day: date) -> Iterator[dict[str, Any]]:
    """Figures of the day's ID-sync files; each is a receipt of its own."""
    for row in fetch_all(con, sql(__file__, "sync_receipts.sql"), {"day": day}):
        yield row | {"files": 1, "why": None}
    for row in _emptied(con, "id_sync", sql(__file__, "emptied_sync.sql"), {"day": day}):
        yield row | {"why": None}


def _emptied(con: duckdb.DuckDBPyConnection, kind: Kind, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Receipts whose files were all taken out since they were issued: a receipt is amended, never forgotten."""
    nothing = dict.fromkeys((*_COUNTERS[kind], "files"), 0)
    return [nothing | row for row in fetch_all(con, query, params)]


def _because(decisions: Iterable[dict[str, Any]], row: dict[str, Any], before: dict[str, Any]) -> str:
    """Why the figures differ from those before: what operators decided since about files of that day, or of days before."""
    since = [file for file in decisions if file["decided_at"] > before["job_end"]]
    own = [file for file in since if (file["day"], file["partner"]) == (row["day"], row["partner"])]
    if own:
        said = {"retracted": "was retracted", "accepted": "was let in"}
        return " ".join(f"{file['key']} {said[file['status']]} on {file['decided_at']:%Y-%m-%d}." for file in own)
    if since:
        return "A file that these figures rest on was retracted or let in."
    return "The day was run again, with files, links or definitions that were not there before."


#: What is revised together: the files of an ID-sync receipt stand on one message, so they have one revision (IDS-145).
_UNIT: dict[Kind, tuple[str, ...]] = {
    "data": ("day", "partner", "dpid", "target", "batch"),
    "id_sync": ("day", "partner", "batch", "dpids"),
}


def _revised(
    con: duckdb.DuckDBPyConnection, kind: Kind, day: date, rows: Iterable[dict[str, Any]], partners: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Those of the figures as of `day` that the latest revision up to that day does not state, with their own revision.

    Revisions as of later days do not count: they follow when those days are run again.
    """
    table = _TABLES[kind]
    key = [name for name in BY_NAME[table].key if name != "revision"]
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in fetch_all(con, "SELECT * FROM lake.main." + table + " ORDER BY revision"):
        known.setdefault(tuple(row[name] for name in key), []).append(row)
    decisions = fetch_all(con, """
        SELECT day, partner, key, status, decided_at FROM lake.main.inbound_files
        WHERE decided_at IS NOT NULL AND day <= $day ORDER BY day, key
    """, {"day": day})  # fmt: skip
    units: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["partner"] in partners:
            row |= {"as_of": day, "balanced": balances(kind, row)}
            units.setdefault(tuple(str(row[name]) for name in _UNIT[kind]), []).append(row)
    for unit in units.values():
        revisions = [known.get(tuple(row[name] for name in key), []) for row in unit]
        before = [next((old for old in reversed(olds) if old["as_of"] <= day), None) for olds in revisions]
        if not any(_differs(kind, row, old) for row, old in zip(unit, before, strict=True)):
            continue
        number = 1 + max((old["revision"] for olds in revisions for old in olds), default=0)
        amended = next(filter(None, before), None)
        for row in unit:
            yield row | {"revision": number, "why": (row["why"] or _because(decisions, row, amended)) if amended else None}


def _differs(kind: Kind, row: dict[str, Any], stated: dict[str, Any] | None) -> bool:
    return stated is None or any(stated[name] != row[name] for name in (*_COUNTERS[kind], "files", "balanced"))
