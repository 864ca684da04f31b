"""What a message is about, read from the lake: the receipt with its files and rejected lines, or the refused files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date
from typing import Any

import duckdb

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.mail.document import LISTED_LINES
from bsync_assets.mail.receipt import FileLine, Receipt, RejectedLine
from bsync_assets.sqlfiles import make, sql
from bsync_assets.warehouse.lake import fetch_all

_Row = dict[str, Any]


class Documents:
    """What the messages about one day are made of, read for all of them at once: a query costs more than a message."""

    def __init__(self, con: duckdb.DuckDBPyConnection, day: date) -> None:
        self._con, self._day = con, day
        make(con, "rejected", sql(__file__, "rejected.sql"), {"day": day, "listed": LISTED_LINES})
        make(con, "first_rejected", sql(__file__, "first_rejected.sql"), {"day": day})
        receipts = fetch_all(con, "SELECT * FROM lake.main.receipts WHERE day = $day ORDER BY revision DESC", {"day": day})
        self._receipts = _grouped(receipts, _DATA)
        self._sync_files = _grouped(fetch_all(con, sql(__file__, "sync_files.sql"), {"day": day}), _SYNC)
        self._refused = _grouped(fetch_all(con, sql(__file__, "refused_files.sql"), {"day": day}), _REFUSED)
        self._data_files: dict[date, dict[str, list[_Row]]] = {}

    def receipt_of(self, row: _Row) -> Receipt:
        """The receipt that a row of `mail_outbox` is about, with its files and rejected lines, as it is mailed."""
        match row["kind"]:
            case "data":
                document, *before = [r for r in self._receipts[_key(row, _DATA)] if 0 <= row["revision"] - r["revision"] <= 1]
                files = self._data_files_as_of(document["as_of"])[_key(row, _DATA)]
                receipt = _receipt(row, document, before, files, tuple(c.name for c in DATA_COUNTERS))
                return _with_rejected(self._con, receipt, document["as_of"])
            case "id_sync":
                names = tuple(c.name for c in SYNC_COUNTERS)
                revisions = range(row["revision"], max(row["revision"] - 2, 0), -1)
                files, *earlier = [_at_revision(self._sync_files[_key(row, _SYNC)], revision) for revision in revisions]
                totals = [{name: sum(file[name] for file in some) for name in names} for some in (files, *earlier)]
                document = max(files, key=lambda file: int(file["revision"])) | totals[0]
                return _with_rejected(self._con, _receipt(row, document, totals[1:], files, names), self._day)
            case _:
                refused = self._refused[_key(row, _REFUSED)]
                arrived = {"job_start": refused[0]["arrived_at"], "job_end": refused[-1]["arrived_at"]}
                return _receipt(row, {"run_id": "", "why": None} | arrived, [], refused, ())

    def _data_files_as_of(self, as_of: date) -> dict[str, list[_Row]]:
        if as_of not in self._data_files:
            rows = fetch_all(self._con, sql(__file__, "data_files.sql"), {"origin": self._day, "day": as_of})
            self._data_files[as_of] = _grouped(rows, _DATA)
        return self._data_files[as_of]


_DATA = ("partner", "dpid", "target", "batch")
_SYNC = ("partner", "batch", "dpids")
_REFUSED = ("partner", "batch")


def _key(row: _Row, columns: Sequence[str]) -> str:
    return repr([row[name] for name in columns])


def _grouped(rows: Iterable[_Row], columns: Sequence[str]) -> dict[str, list[_Row]]:
    groups: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[_key(row, columns)].append(row)
    return groups


def _at_revision(files: Iterable[_Row], revision: int) -> list[_Row]:
    """Of each file the latest figures up to a revision."""
    latest: dict[str, _Row] = {}
    for file in files:
        if latest.get(file["name"], {"revision": 0})["revision"] < file["revision"] <= revision:
            latest[file["name"]] = file
    return list(latest.values())


def _receipt(
    row: dict[str, Any],
    document: dict[str, Any],
    earlier: Sequence[dict[str, Any]],
    files: Sequence[dict[str, Any]],
    counters: tuple[str, ...],
) -> Receipt:
    return Receipt(
        kind=row["kind"],
        day=row["day"],
        partner=row["partner"],
        dpid=row["dpid"],
        target=row["target"],
        dpids=tuple(row["dpids"] or ()),
        batch=row["batch"],
        revision=row["revision"],
        run_id=document["run_id"],
        counters={name: document[name] for name in counters},
        files=tuple(
            FileLine(file["name"], {c: file[c] for c in counters if file.get(c) is not None}, file.get("reject_reason"))
            for file in files
        ),
        previous={name: earlier[0][name] for name in counters} if earlier else None,
        why=document["why"],
        job_start=document["job_start"].replace(tzinfo=UTC),
        job_end=document["job_end"].replace(tzinfo=UTC),
        balanced=row["balanced"],
    )


def _with_rejected(con: duckdb.DuckDBPyConnection, receipt: Receipt, as_of: date) -> Receipt:
    """The receipt with the lines that were not stored at the end of the day `as_of`."""
    order = {file.name: position for position, file in enumerate(receipt.files)}
    scope = {"partner": receipt.partner, "batch": receipt.batch, "files": list(order), "as_of": as_of}
    counts: dict[str, dict[str, int]] = {}
    for file, reason, lines in con.execute(sql(__file__, "rejected_counts.sql"), scope).fetchall():
        counts.setdefault(file, {})[reason] = lines
    if not counts:
        return receipt
    listed = con.execute(sql(__file__, "rejected_listed.sql"), scope | {"listed": LISTED_LINES}).fetchall()
    lines = sorted((RejectedLine(*line) for line in listed), key=lambda line: (order[line.file], line.number))
    files = tuple(replace(file, rejected=counts.get(file.name, {})) for file in receipt.files)
    return replace(receipt, files=files, lines=tuple(lines))
