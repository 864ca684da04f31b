"""Stages `id_sync_files` and `id_links`: rows of sync files, and the links between IDs and devices they lead to."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

import duckdb

from bsync_assets.assets.inbound_files import link_time, to_read
from bsync_assets.assets.slices import read_slices
from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange import data_lines
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, id_form
from bsync_assets.exchange.reasons import LINE_REASONS
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import (
    commit_changes,
    fetch_all,
    rebase_if_due,
    replace_day,
    state_as_of,
    transaction,
    view_as_of,
)
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME, Column

log = logging.getLogger("bsync.id_sync")

_SYNC_FILE = (
    Column("file", "INTEGER", "order within the day"),
    Column("partner", "VARCHAR", "sender"),
    Column("key", "VARCHAR", "key of the file"),
    Column("batch", "INTEGER", "pick-up"),
    Column("sha256", "VARCHAR", "kept copy"),
    Column("compression", "VARCHAR", "gz or null"),
    Column("lines", "BIGINT", "physical lines"),
    Column("format", "VARCHAR", "adobe_id or c2c_id"),
    Column("dpids", "BIGINT[]", "namespace of each column, master first"),
    Column("columns", "INTEGER", "columns by the name"),
    Column("forms", "VARCHAR[]", "ID form of each column"),
    Column("seen_at", "TIMESTAMP", "when its links count as seen"),
)


def read_sync_files(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Read the day's accepted sync files into `id_sync_pairs` and `rejected_lines`; answers rows received and accepted.

    IDS-45 to IDS-59.
    """
    data_lines.prepare(con)
    files = _sync_files(con, catalog, day)
    rows_table(con, "sync_file", _SYNC_FILE, files)
    make(con, "pairs", "SELECT * EXCLUDE (day) FROM lake.main.id_sync_pairs LIMIT 0")
    make(con, "rejected", "SELECT * EXCLUDE (day) FROM lake.main.rejected_lines LIMIT 0")
    con.execute("CREATE OR REPLACE TEMP TABLE received (file INTEGER, lines BIGINT, too_long BIGINT)")
    sources = [to_read(catalog, file) for file in files]
    for _ in read_slices(con, sources):
        make(con, "sync_row", sql(data_lines.__file__, "sync_rows.sql"))
        con.execute("INSERT INTO pairs BY NAME " + sql(__file__, "pairs.sql"))
        con.execute("INSERT INTO rejected BY NAME " + sql(__file__, "rejected_rows.sql"))
        con.execute(
            "INSERT INTO received SELECT file, count(*), count(*) FILTER (reject = 'line_too_long') FROM sync_row GROUP BY file"
        )
    make(con, "pairs", "SELECT CAST($day AS DATE) AS day, * FROM pairs", {"day": day})
    make(con, "rejected", "SELECT CAST($day AS DATE) AS day, * FROM rejected", {"day": day})
    make(con, "figures", sql(__file__, "row_figures.sql"), {"day": day})
    with transaction(con):
        replace_day(con, "id_sync_pairs", day, "pairs")
        replace_day(con, "id_sync_figures", day, "figures")
        replace_day(con, "rejected_lines", day, "rejected", stage="id_sync_files")
    return {
        "files": len(files),
        "received": one(con, "SELECT coalesce(sum(records_received), 0)::BIGINT FROM figures"),
        "pairs": one(con, "SELECT count(*) FROM pairs"),
    }


def _sync_files(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> list[dict[str, Any]]:
    """The day's accepted sync files in order of processing (INB-155)."""
    rows = fetch_all(con, """
        SELECT partner, key, batch, sha256, compression, encryption, lines, format, [dpid] || dpids AS dpids, arrived_at
        FROM lake.main.inbound_files
        WHERE day = $day AND family = 'id_sync' AND status = 'accepted'
        ORDER BY arrived_at, regexp_replace(key, '(\\.sync)\\.[0-9]+', '\\1'), split NULLS FIRST, partner, sha256
    """, {"day": day})  # fmt: skip
    for number, row in enumerate(rows):
        forms = []
        for dpid in row["dpids"]:
            source = catalog.data_sources.get(dpid)
            forms.append(id_form(dpid, source.key if source else "customer", source.label if source else None))
        row |= {"file": number, "columns": len(forms), "forms": forms, "seen_at": link_time(row["arrived_at"], day)}
    return rows


#: How many links may hang together; the oldest go first. IDS-135 to IDS-137, IDS-71.
DEVICES_PER_CROSS_DEVICE_ID = 100
CROSS_DEVICE_IDS_PER_DEVICE = 10
COOKIES_PER_COOKIE = 1000
EMAILS_PER_ID = 10


def link_ids(con: duckdb.DuckDBPyConnection, catalog: Catalog, day: date) -> dict[str, int]:
    """Fold the day's accepted rows into `id_links` and `email_links`, and finish the figures of the day's sync files.

    Rows with a device in front go first, chained rows follow until nothing changes; so the order of files does not matter.
    HTTP calls, as `id_sync_events` took them in, are links like those of rows.
    IDS-60 to IDS-74, IDS-125, IDS-135 to IDS-137.
    """
    before = {"day": day - timedelta(days=1)}
    make(con, "email_before", state_as_of("email_links"), before)
    make(con, "opted_out", state_as_of("opt_outs"), {"day": day})
    make(con, "cross_device", "SELECT unnest($dpids) AS dpid",
         {"dpids": [s.id for s in catalog.data_sources.values() if s.type == "cross_device"]})  # fmt: skip
    make(con, "device_dpid", "SELECT unnest($dpids) AS dpid", {"dpids": list(DEVICE_DPIDS)})
    make(con, "pair", sql(__file__, "pair.sql"), {"day": day})
    make(con, "sighting", sql(__file__, "direct_links.sql"))
    con.execute("INSERT INTO sighting BY NAME " + sql(__file__, "http_links.sql"), {"day": day})
    view_as_of(con, "all_links_before", "id_links", day - timedelta(days=1))
    make(con, "link_before", sql(__file__, "links_before.sql"))
    _chain(con)
    make(con, "link_seen", sql(__file__, "link_seen.sql"))
    limits = {
        "devices_per_id": DEVICES_PER_CROSS_DEVICE_ID,
        "ids_per_device": CROSS_DEVICE_IDS_PER_DEVICE,
        "cookies": COOKIES_PER_COOKIE,
    }
    make(con, "link_ranked", sql(__file__, "link_ranked.sql"), limits)
    make(con, "link_changes", sql(__file__, "link_changes.sql"))
    make(con, "email_ranked", sql(__file__, "email_ranked.sql"), {"limit": EMAILS_PER_ID})
    make(con, "email_changes", sql(__file__, "email_changes.sql"))
    make(con, "row_outcome", sql(__file__, "row_outcomes.sql"))
    make(con, "figures", sql(__file__, "link_figures.sql"), {"day": day})
    make(con, "rejected", sql(__file__, "unlinked_rows.sql"), {"day": day})
    make(con, "evicted", sql(__file__, "evicted_links.sql"), {"day": day})
    synced = {partner.name for partner in catalog.partners.values() if partner.sync is not None}
    sources = [{"day": day, "partner": s.owner, "dpid": s.id} for s in catalog.data_sources.values() if s.owner in synced]
    rows_table(con, "partner_source", BY_NAME["partner_sources"].columns, sources)
    with transaction(con):
        commit_changes(con, "id_links", day, "link_changes")
        commit_changes(con, "email_links", day, "email_changes")
        replace_day(con, "id_sync_figures", day, "figures")
        replace_day(con, "rejected_lines", day, "rejected", stage="id_links")
        replace_day(con, "evicted_links", day, "evicted")
        replace_day(con, "partner_sources", day, "partner_source")
    for state in ("id_links", "email_links"):
        rebase_if_due(con, state, day)
    return {
        "new": one(con, "SELECT count(*) FROM link_changes WHERE change = 'added'"),
        "refreshed": one(con, "SELECT count(*) FROM link_changes WHERE change = 'renewed'"),
        "removed": one(con, "SELECT count(*) FROM link_changes WHERE change = 'removed'"),
    }


def _chain(con: duckdb.DuckDBPyConnection) -> None:
    """Add to `sighting`, which has the links of rows with a device in front and of calls, those of chained rows, to a fixed point
    (IDS-64).
    """
    level = 0
    while one(con, "SELECT count(*) FROM pair WHERE format = 'adobe_id' AND NOT is_direct"):
        level += 1
        make(con, "chained", sql(__file__, "chained_links.sql"), {"level": level})
        if not one(con, "SELECT count(*) FROM chained"):
            return
        con.execute("INSERT INTO sighting BY NAME FROM chained")


SYNC_REASON_COUNTER = {reason.code: reason.counter for reason in LINE_REASONS}
