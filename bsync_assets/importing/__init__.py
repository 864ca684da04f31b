"""`bsync import`: state of an older system, taken over as it was before the first day.

One JSON object per line, `{"link": ...}`, `{"email": ...}`, `{"trait": ...}`, `{"opt_out": ...}` or `{"activity": ...}`. What
an import brings is merged with what an earlier one brought, and becomes the base of each state at the end of the day before
`account.start`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bsync_assets.catalog import Catalog
from bsync_assets.exchange import data_lines
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, id_form
from bsync_assets.rules import ttl
from bsync_assets.sqlfiles import make, one, sql
from bsync_assets.warehouse.lake import attach, single_writer, state_as_of, transaction
from bsync_assets.warehouse.tables import BY_NAME
from bsync_assets.workspace import open_catalog

MOST_COMPLAINTS = 20
_TOGETHER = 50_000  # lines held in Python at a time


class ImportRefused(ValueError):
    """Nothing was imported; says why, one complaint per line."""


# --- What a line may say


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


_Dpid = Annotated[int, Field(ge=0, le=10**10 - 1)]
_Id = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Time = Annotated[datetime, Field(strict=False), AfterValidator(_utc)]


class _Said(BaseModel):
    # Strict, because an ID that came as a number may have lost its zeros.
    model_config = ConfigDict(extra="forbid", strict=True)


class _Link(_Said):
    dpid: _Dpid
    id: _Id
    device_dpid: _Dpid
    device_id: _Id
    seen_at: _Time


class _Email(_Said):
    dpid: _Dpid
    id: _Id
    email_dpid: _Dpid
    hash: _Id
    seen_at: _Time


class _Trait(_Said):
    dpid: _Dpid
    id: _Id
    trait_id: Annotated[int, Field(ge=1, le=10**18 - 1)]
    realized_at: _Time
    count: Annotated[int, Field(ge=1, le=10**9)] = 1


class _OptOut(_Said):
    dpid: _Dpid
    id: _Id
    at: _Time


class _Activity(_Said):
    dpid: _Dpid
    id: _Id
    last_at: _Time


class _Line(_Said):
    link: _Link | None = None
    email: _Email | None = None
    trait: _Trait | None = None
    opt_out: _OptOut | None = None
    activity: _Activity | None = None


_KINDS: dict[str, type[BaseModel]] = {
    "link": _Link, "email": _Email, "trait": _Trait, "opt_out": _OptOut, "activity": _Activity,
}  # fmt: skip
_TYPES = {int: pa.int64(), str: pa.string(), datetime: pa.timestamp("us")}
_A_TIME = "a time like 2026-01-04T12:00:00Z"
_EXPECTED = {
    "dpid": "a data source ID", "device_dpid": "a data source ID", "email_dpid": "a data source ID",
    "id": "an ID as text", "device_id": "an ID as text", "hash": "a SHA-256 in 64 lower-case hex digits",
    "trait_id": "the ID of a trait", "count": "a number of realizations, 1 or more",
    "seen_at": _A_TIME, "realized_at": _A_TIME, "at": _A_TIME, "last_at": _A_TIME,
}  # fmt: skip

#: State -> the statement in this folder that makes it, from what was brought before and what is brought now.
_STATES = {
    "id_links": "id_links.sql",
    "email_links": "email_links.sql",
    "profile_traits": "profile_traits.sql",
    "trait_counts": "trait_counts.sql",  # of the lives that profile_traits tells apart
    "opt_outs": "opt_outs.sql",
    "activity": "activity.sql",
}


# --- The import


def import_state(home: Path, file: Path) -> dict[str, int]:
    """Take over the state in `file`; answers how many lines of each kind. All or nothing.

    Raises ImportRefused naming the bad lines, or when a day has been run already; CatalogError; LakeBusy.
    """
    catalog = open_catalog(home)
    with closing(duckdb.connect()) as con:
        counts = _load(con, file)
        _check(con, catalog)
        _merge(con, catalog)
    return counts


def _merge(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Make what was said, and what was brought before, the base of each state."""
    with single_writer(catalog.home):
        attach(con, catalog.home)
        _refuse_after_a_run(con, catalog.settings.account.start)
        before_start = catalog.settings.account.start - timedelta(days=1)
        con.execute("SET VARIABLE start = $start", {"start": catalog.settings.account.start})
        for state, statement in _STATES.items():
            make(con, "before", state_as_of(state), {"day": before_start})
            make(con, "merged_" + state, sql(__file__, statement))
        with transaction(con):
            for state in _STATES:
                _write_base(con, state, before_start)


def _refuse_after_a_run(con: duckdb.DuckDBPyConnection, start: date) -> None:
    """Days that were run rest on the base that an import would change."""
    states = [table for table in BY_NAME.values() if table.kind == "state"]
    later = [f"SELECT count(*) AS n FROM lake.main.{name}" for name in ("runs", "inbound_files", *(s.changes for s in states))]
    later += [f"SELECT count(*) AS n FROM lake.main.{state.name}_base WHERE as_of >= $start" for state in states]
    if one(con, "SELECT sum(n) FROM (" + " UNION ALL ".join(later) + ")", {"start": start}):
        raise ImportRefused(
            "days have been run already, and they rest on the state before them; import into a workspace without a lake, "
            "then run the days again"
        )


def _write_base(con: duckdb.DuckDBPyConnection, state: str, as_of: date) -> None:
    base = "lake.main." + state + "_base"
    con.execute("DELETE FROM " + base + " WHERE as_of = $as_of", {"as_of": as_of})
    if one(con, "SELECT count(*) FROM merged_" + state):
        con.execute("INSERT INTO " + base + " BY NAME SELECT $as_of AS as_of, * FROM merged_" + state, {"as_of": as_of})


def _load(con: duckdb.DuckDBPyConnection, file: Path) -> dict[str, int]:
    """Make `said_link(line_no, ...)`, `said_email` ..., one per kind; raises ImportRefused for lines that say nothing sound."""
    tables = {
        kind: pa.schema([("line_no", pa.int64()), *((name, _arrow_type(field)) for name, field in model.model_fields.items())])
        for kind, model in _KINDS.items()
    }
    for kind, schema in tables.items():
        con.register("said", schema.empty_table())
        make(con, "said_" + kind, "FROM said")
    counts = dict.fromkeys(tables, 0)
    complaints: list[str] = []
    for part in _parts(file, complaints):
        for kind, rows in part.items():
            if rows and not complaints:
                con.register("said", pa.Table.from_pylist(rows, tables[kind]))
                con.execute("INSERT INTO said_" + kind + " FROM said")
            counts[kind] += len(rows)
    con.unregister("said")
    _refuse(complaints)
    return counts


def _arrow_type(field: Any) -> pa.DataType:
    return _TYPES[field.annotation]


def _parts(file: Path, complaints: list[str]) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Rows by kind, some lines at a time. What is wrong goes to `complaints`, until there are enough of them."""
    part: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    with open(file, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                said = _Line.model_validate_json(line)
            except ValidationError as error:
                complaints.append(f"line {number}: {_problem(error.errors(include_url=False)[0])}")
            else:
                kinds = sorted(said.model_fields_set)
                entry = getattr(said, kinds[0]) if len(kinds) == 1 else None
                if entry is None:
                    complaints.append(f"line {number}: expected exactly one of {', '.join(_KINDS)}")
                else:
                    part[kinds[0]].append({"line_no": number, **entry.__dict__})
            if len(complaints) >= MOST_COMPLAINTS:
                break
            if number % _TOGETHER == 0:
                yield part
                part = {kind: [] for kind in _KINDS}
    yield part


def _problem(error: ErrorDetails) -> str:
    """What is wrong with a line, and what was expected."""
    *_, field = error["loc"] or ("",)
    where = ".".join(str(step) for step in error["loc"])
    match error["type"]:
        case "json_invalid":
            return f"not JSON ({error['ctx']['error']})"
        case "missing":
            return f"{where}: missing, expected {_EXPECTED[str(field)]}"
        case "extra_forbidden" if len(error["loc"]) == 1:
            return f"unknown kind {field!r}, expected one of {', '.join(_KINDS)}"
        case "extra_forbidden":
            return f"{where}: unknown field"
    shown = repr(error["input"])
    expected = _EXPECTED.get(str(field), "an object {...}")
    return f"{where}{': ' if where else ''}expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _check(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """What was said must fit the catalog: known data sources and traits, devices that are devices, IDs of the right form."""
    data_lines.prepare(con)
    con.execute(sql(ttl.__file__, "ttl.sql"))
    forms = {dpid: id_form(dpid) for dpid in DEVICE_DPIDS}
    forms |= {dpid: id_form(dpid, source.key, source.label) for dpid, source in catalog.data_sources.items()}
    con.register("namespace", pa.table({
        "dpid": pa.array(forms, pa.int64()),
        "form": pa.array(forms.values(), pa.string()),
        "is_device": pa.array([dpid in DEVICE_DPIDS for dpid in forms], pa.bool_()),
    }))  # fmt: skip
    traits = catalog.traits.values()
    con.register("trait", pa.table({
        "trait_id": pa.array([trait.id for trait in traits], pa.int64()),
        "data_source": pa.array([trait.data_source for trait in traits], pa.int64()),
        "kind": pa.array([trait.kind for trait in traits], pa.string()),
        "ttl_days": pa.array([trait.ttl_days for trait in traits], pa.int64()),
    }))  # fmt: skip
    wrong = con.execute(sql(__file__, "misfits.sql") + " LIMIT " + str(MOST_COMPLAINTS)).fetchall()
    _refuse([f"line {line_no}: {complaint}" for line_no, complaint in wrong])


def _refuse(complaints: list[str]) -> None:
    if complaints:
        more = "\n... perhaps more; these are the first" if len(complaints) >= MOST_COMPLAINTS else ""
        raise ImportRefused("\n".join(complaints) + more)
