"""What a message is about, read from the lake: the receipt with its files and rejected lines, or the refused files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date
from functools import cache as once
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.mail.document import LISTED_LINES
from bsync_assets.mail.receipt import FileLine, Receipt, RejectedLine
from bsync_assets.sqlfiles import make, sql
from bsync_assets.warehouse.lake import fetch_all
from bsync_assets.warehouse.rows import rows_table

_Row = dict[str, Any]


def documents(con: duckdb.DuckDBPyConnection, day: date, messages: Sequence[_Row]) -> Iterator[tuple[Receipt, list[_Row]]]:
    """What rows of `mail_outbox` about one day are about, each receipt as it is mailed, with its rows; in the order of the rows.

    All is read for all of them at once, because a query costs more than a message; of listed lines those of one receipt are held.
    """
    groups = [list(rows) for _, rows in groupby(messages, itemgetter(*_DOCUMENT))]
    receipts = list(_receipts(con, day, [rows[0] for rows in groups]))
    files = [
        {"document": number, "as_of": as_of, "partner": receipt.partner, "batch": receipt.batch, "file": name}
        for number, (receipt, as_of) in enumerate(receipts)
        for name in {file.name for file in receipt.files}
    ]
    rows_table(con, "document_files", "document BIGINT, as_of DATE, partner VARCHAR, batch BIGINT, file VARCHAR", files)
    make(con, "rejected", sql(__file__, "rejected.sql"), {"day": day, "listed": LISTED_LINES})
    make(con, "first_rejected", sql(__file__, "first_rejected.sql"), {"day": day})
    make(con, "listed_lines", sql(__file__, "rejected_listed.sql"), {"listed": LISTED_LINES})
    counts: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for number, file, reason, lines in con.execute(sql(__file__, "rejected_counts.sql")).fetchall():
        counts[number, file][reason] = lines
    for number, ((receipt, _), rows) in enumerate(zip(receipts, groups, strict=True)):
        named = tuple(replace(file, rejected=counts.get((number, file.name), {})) for file in receipt.files)
        order = {file.name: position for position, file in enumerate(named)}
        listed = con.execute(_LISTED, {"document": number}).fetchall() if any(file.rejected for file in named) else []
        lines = sorted(map(RejectedLine._make, listed), key=lambda line: (order[line.file], line.number))
        yield replace(receipt, files=named, lines=tuple(lines)), rows


def _receipts(con: duckdb.DuckDBPyConnection, day: date, messages: Sequence[_Row]) -> Iterator[tuple[Receipt, date]]:
    """The receipt of each message, without rejected lines, and the day at whose end it stands."""
    found = fetch_all(con, "SELECT * FROM lake.main.receipts WHERE day = $day ORDER BY revision DESC", {"day": day})
    data_receipts = _grouped(found, _DATA)
    sync_files = _grouped(fetch_all(con, sql(__file__, "sync_files.sql"), {"day": day}), _SYNC)
    refused_files = _grouped(fetch_all(con, sql(__file__, "refused_files.sql"), {"day": day}), _REFUSED)

    @once
    def data_files(as_of: date) -> dict[str, list[_Row]]:
        return _grouped(fetch_all(con, sql(__file__, "data_files.sql"), {"origin": day, "day": as_of}), _DATA)

    for row in messages:
        match row["kind"]:
            case "data":
                document, *before = [r for r in data_receipts[_key(row, _DATA)] if 0 <= row["revision"] - r["revision"] <= 1]
                files = data_files(document["as_of"])[_key(row, _DATA)]
                yield _receipt(row, document, before, files, tuple(c.name for c in DATA_COUNTERS)), document["as_of"]
            case "id_sync":
                names = tuple(c.name for c in SYNC_COUNTERS)
                revisions = range(row["revision"], max(row["revision"] - 2, 0), -1)
                files, *earlier = [_at_revision(sync_files[_key(row, _SYNC)], revision) for revision in revisions]
                totals = [{name: sum(file[name] for file in some) for name in names} for some in (files, *earlier)]
                document = max(files, key=lambda file: int(file["revision"])) | totals[0]
                yield _receipt(row, document, totals[1:], files, names), day
            case _:
                refused = refused_files[_key(row, _REFUSED)]
                arrived = {"job_start": refused[0]["arrived_at"], "job_end": refused[-1]["arrived_at"]}
                yield _receipt(row, {"run_id": "", "why": None} | arrived, [], refused, ()), day


_DOCUMENT = ("kind", "partner", "dpid", "target", "dpids", "batch", "revision", "balanced")
_DATA = ("partner", "dpid", "target", "batch")
_SYNC = ("partner", "batch", "dpids")
_REFUSED = ("partner", "batch")
_LISTED = "SELECT file, line_no, reason, sample FROM listed_lines WHERE document = $document"


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
