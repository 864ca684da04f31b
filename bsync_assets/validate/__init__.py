"""`bsync validate`: what would happen to a file, line by line, by the code of the run; nothing is stored.

Nobody's links are looked up, so a record of customer IDs that gets that far counts as unmatched, as in a partner's test
folder (INB-07). Without a catalog only what the file itself shows is judged: its name, its format, its IDs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from bsync_assets.assets import id_sync, matched_traits
from bsync_assets.assets.inbound_files import describe, private_key, registry_refusal
from bsync_assets.assets.matched_traits.linked import NOBODY
from bsync_assets.assets.slices import ToRead, read_slices
from bsync_assets.catalog import Account, Catalog, Settings
from bsync_assets.exchange import data_lines
from bsync_assets.exchange.data_lines import HEAD_COLUMNS
from bsync_assets.exchange.names import FileName, NameRefused, parse_name
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, id_form
from bsync_assets.exchange.reasons import DATA_COUNTERS, LINE_REASONS, SYNC_COUNTERS
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.transport import store
from bsync_assets.validate.hints import Hint, line_hint, name_hint
from bsync_assets.warehouse.lake import fetch_all
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import Column

SLICE_BYTES = 64 << 20  # less than a run takes: a partner's machine may be small
_FETCH = 20_000  # lines handed over at a time


class JudgedLine(NamedTuple):
    """A physical line: the normal form of what it says as JSON text, the reason why it would not be stored, the rule that says
    so, a masked sample. The sample is there for lines that break a rule, the reason also for sound lines that lead nowhere.
    """

    line_no: int
    outcome: str
    reason: str | None = None
    rule: str | None = None
    sample: str | None = None


@dataclass
class Verdict:
    """What a file as a whole comes to. `name` is the normal form of its name, or {"reject": code}; `refused` says why the file
    would not be let in although its name is sound. Counters are those of a receipt.
    """

    file: str
    name: dict[str, Any]
    refused: str | None = None
    counters: dict[str, int] = field(default_factory=dict)
    hints: list[Hint] = field(default_factory=list)

    @property
    def breaks_a_rule(self) -> bool:
        """Whether the sender should mend something: the file is refused, or lines break a rule."""
        wrong = ("format_errors", "invalid_aam_id", "invalid_device_id", "lines_over_length", "lines_over_user_limit")
        return "reject" in self.name or self.refused is not None or any(self.counters.get(counter) for counter in wrong)


#: Takes judged lines in their order; a share of the file that is done, 0 to 1.
OnLines = Callable[[list[JudgedLine]], None]
OnProgress = Callable[[float], None]


def no_catalog() -> Catalog:
    """What a partner has: no data source is declared, no trait, no rule."""
    settings = Settings(account=Account(name="none", pid=1, start=date.min))
    return Catalog(Path(), settings, {}, {}, {}, {}, {})


def validate(
    file: Path,
    catalog: Catalog | None,
    partner: str | None,
    on_lines: OnLines,
    on_progress: OnProgress = lambda share: None,
    every_line: bool = False,
) -> Verdict:
    """Judge one file as if `partner` had sent it, or the partner of its folder, or whoever may.

    `on_progress` is told the share that is done, between the parts of a large file.

    Lines that break a rule go to `on_lines`, with `every_line` all lines. Memory does not depend on the size of the file.
    """
    verdict = Verdict(str(file), {})
    try:
        name = parse_name(_key(file))
    except NameRefused as refusal:
        verdict.name = {"reject": refusal.code}
        hint = name_hint(file.name, refusal.code)
        verdict.hints += [hint] if hint else []
        return verdict
    verdict.name = name.normal_form()
    sender, key = None, None
    if catalog is not None:
        sender, verdict.refused = _sender(catalog, name, partner)
        key = private_key(catalog, sender) if sender is not None and name.encryption is not None else None
    if verdict.refused is not None or catalog is None:
        catalog = no_catalog()
    is_data = name.family == "data"
    contents = store.inspect(file, name.compression, name.encryption, key, catalog.settings.limits)
    if contents.reject_reason is not None:
        verdict.refused = verdict.refused or contents.reject_reason
        return verdict
    with tempfile.TemporaryDirectory(prefix="bsync-") as folder, closing(duckdb.connect()) as con:
        con.execute("SET temp_directory = '" + folder + "'")
        con.execute("SET memory_limit = '1GB'")
        rows_table(
            con,
            "line_rule",
            _LINE_RULE,
            ({"code": r.code, "rule": r.rule if is_data else r.sync_rule or r.rule} for r in LINE_REASONS),
        )
        judge = _judge_data if is_data else _judge_sync
        done = 0
        source = ToRead(0, file, name.compression, key, HEAD_COLUMNS.get(name.format or "", 0))
        for last in judge(con, catalog, name, source, verdict, every_line):
            if done:
                on_progress(done / contents.lines)
            _hand_over(con, done, every_line, on_lines)
            done = last
        if every_line:
            on_lines([_blank(number) for number in range(done + 1, contents.lines + 1)])
    return verdict


def _key(file: Path) -> str:
    """What the run would take for the key: with the folders of partner and day, if the file lies in such."""
    if file.resolve().parent.name.startswith("date="):
        return "/".join(file.resolve().parts[-3:])
    return file.name


def _sender(catalog: Catalog, name: FileName, partner: str | None) -> tuple[str | None, str | None]:
    """(who may have sent the file, None), or (None or who was named, why that sender may not send it).

    Named is `partner`, or the folder; where nobody is, anybody may be the sender.
    """
    named = partner or name.partner
    candidates = [named] if named in catalog.partners else list(catalog.partners)
    refusals = {candidate: registry_refusal(catalog, candidate, name) for candidate in candidates}
    may = next((candidate for candidate, refusal in refusals.items() if refusal is None), None)
    return (may, None) if may is not None else (named, next(iter(refusals.values()), "unknown_dpid"))


def _hand_over(con: duckdb.DuckDBPyConnection, done: int, every_line: bool, on_lines: OnLines) -> None:
    """Give the lines of `validated_line` away in their order; given every line, those that are not there were blank (INB-39)."""
    rows = con.execute("SELECT line_no, outcome, reason, rule, sample FROM validated_line ORDER BY line_no")
    while part := [JudgedLine(*row) for row in rows.fetchmany(_FETCH)]:
        if not every_line:
            on_lines(part)
            continue
        lines = []
        for line in part:
            lines += [_blank(number) for number in range(done + 1, line.line_no)]
            lines.append(line)
            done = line.line_no
        on_lines(lines)


def _blank(number: int) -> JudgedLine:
    return JudgedLine(number, '{"skip":"blank"}')


# --- The families of files. Each judge makes `validated_line` for one slice after the other and answers its last line number.


def _judge_data(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, name: FileName, source: ToRead, verdict: Verdict, every_line: bool
) -> Iterator[int]:
    row = describe(name)
    how = matched_traits.reading(catalog, row["dpid"])
    file = row | how | {"file": 0, "file_id": 0, "batch": 1, "partner": "", "key": verdict.file, "source": row["dpid"]}
    rules = matched_traits.prepare(con, catalog, [file])
    rows_table(con, "barred_id", "dpid BIGINT, id VARCHAR", ())
    con.execute("CREATE TEMP TABLE device_seen (hash UBIGINT)")
    knows_traits = bool(catalog.data_sources)
    for given in read_slices(con, [source], SLICE_BYTES):
        matched_traits.judge_slice(con, rules, NOBODY, given)
        if every_line:
            data_lines.make_all_tokens(con, given.tokens)
        make(con, "rejected_line", sql(matched_traits.__file__, "slice_rejects.sql"))
        if not knows_traits:
            con.execute("DELETE FROM rejected_line WHERE sample IS NULL")
        _join_outcomes(con, "normal_data_lines.sql", every_line)
        if how["resolve"] == "device":
            stored = "FROM outcome INNER JOIN resolved USING (rec) WHERE reason IS NULL"
            con.execute("INSERT INTO device_seen SELECT DISTINCT hash(user_id) " + stored)
        _note_hints(con, "data_hints.sql", verdict)
        yield _last_line(con)
    (figures,) = fetch_all(con, "SELECT sum(COLUMNS(* EXCLUDE (file)))::BIGINT FROM slice_figure")
    verdict.counters = {counter.name: figures.get(counter.name, 0) for counter in DATA_COUNTERS}
    verdict.counters["total_devices"] = one(con, "SELECT count(DISTINCT hash) FROM device_seen")
    if not knows_traits:  # without traits nothing can be realized: what gets that far is unmatched
        verdict.counters["no_matching_aam_id"] += verdict.counters["no_trait_realized"]
        verdict.counters["no_trait_realized"] = 0


def _judge_sync(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, name: FileName, source: ToRead, verdict: Verdict, every_line: bool
) -> Iterator[int]:
    dpids = [name.master or 0, *name.dpids]
    row = {
        "file": 0, "batch": 1, "partner": "", "key": verdict.file, "format": name.prefix, "columns": len(dpids),
        "forms": [_column_form(catalog, name, dpid) for dpid in dpids],
    }  # fmt: skip
    data_lines.prepare(con)
    rows_table(con, "sync_file", _SYNC_FILE, [row])
    counter_of = {reason.code: reason.counter for reason in LINE_REASONS}
    # a chained row needs devices of its first ID, and nobody's links are looked up
    sound = "stored_records" if dpids[0] in DEVICE_DPIDS or name.prefix == "c2c_id" else "no_matching_aam_id"
    counters = verdict.counters = dict.fromkeys((counter.name for counter in SYNC_COUNTERS), 0)
    for _ in read_slices(con, [source], SLICE_BYTES):
        make(con, "sync_row", sql(data_lines.__file__, "sync_rows.sql"))
        make(con, "rejected_line", sql(id_sync.__file__, "rejected_rows.sql"))
        _join_outcomes(con, "normal_sync_rows.sql", every_line)
        _note_hints(con, "sync_hints.sql", verdict)
        for reason, rows in con.execute("SELECT reject, count(*) FROM sync_row GROUP BY reject").fetchall():
            counters["records_received"] += rows
            counters[counter_of.get(reason, sound)] += rows
        counters["records_processed"] = counters["records_received"] - counters["lines_over_length"]
        yield _last_line(con)


_LINE_RULE = (Column("code", "VARCHAR", "reason"), Column("rule", "VARCHAR", "the rule that says so"))
_SYNC_FILE = (
    Column("file", "INTEGER", "number"),
    Column("partner", "VARCHAR", "sender"),
    Column("key", "VARCHAR", "file"),
    Column("batch", "INTEGER", "pick-up"),
    Column("format", "VARCHAR", "adobe_id or c2c_id"),
    Column("columns", "INTEGER", "columns by the name"),
    Column("forms", "VARCHAR[]", "ID form of each column"),
)


def _column_form(catalog: Catalog, name: FileName, dpid: int) -> str:
    source = catalog.data_sources.get(dpid)
    if source is not None:
        return id_form(dpid, source.key, source.label)
    return id_form(dpid, label="hashed_email" if name.prefix == "c2c_id" and dpid in name.dpids else None)  # IDS-72


def _join_outcomes(con: duckdb.DuckDBPyConnection, normal_form: str, every_line: bool) -> None:
    """Make `validated_line` of the slice: every line in its normal form, or the lines that break a rule."""
    if every_line:
        make(con, "normal_line", sql(data_lines.__file__, normal_form))
    else:
        make(con, "normal_line", "SELECT line_no, '' AS outcome FROM rejected_line WHERE sample IS NOT NULL")
    make(con, "validated_line", sql(__file__, "validated_lines.sql"))


def _note_hints(con: duckdb.DuckDBPyConnection, statement: str, verdict: Verdict) -> None:
    found = {hint.code: hint for hint in verdict.hints}
    for code, lines, first_line in con.execute(sql(__file__, statement)).fetchall():
        before = found.get(code)
        found[code] = before._replace(lines=before.lines + lines) if before else line_hint(code, lines, first_line)
    verdict.hints = sorted(found.values(), key=lambda hint: hint.first_line or 0)


def _last_line(con: duckdb.DuckDBPyConnection) -> int:
    last: int = one(con, "SELECT max(line_no) FROM line")
    return last
