"""Who is in which segment, for any set of segments and profiles: facts by SQL, expressions by set algebra.

Belongs here: from states and definitions to members. Does not belong here: which profiles have to be judged on a day, and
what is recorded of it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from bsync_assets.assets.segment_members.definitions import Definition, Merge
from bsync_assets.rules.segment_sets import Counted, Fact, Held, members
from bsync_assets.sqlfiles import make, sql
from bsync_assets.warehouse.lake import state_as_of, view_as_of

#: Devices merged with a person at most (SEG-005, SEG-009).
MOST_DEVICES = 100
_ROWS = 1 << 20
_NEVER = date(1, 1, 1)


@dataclass(frozen=True)
class Edge:
    """Dates of realizations that the calendar moved across the edge of a window, first and last included (SEG-033)."""

    trait_id: int
    capped: bool
    first: date
    last: date


def find_last_users(con: duckdb.DuckDBPyConnection, sources: Sequence[int], day: date, suffix: str) -> None:
    """Make `gone<suffix>`, who has opted out by the end of `day`, and `last_auth<suffix>`, who used which device last."""
    make(con, "gone" + suffix, state_as_of("opt_outs"), {"day": day})
    view_as_of(con, "link", "id_links", day)
    con.execute("CREATE OR REPLACE TEMP VIEW gone AS FROM gone" + suffix)
    make(con, "last_auth" + suffix, sql(__file__, "last_auth.sql"), {"sources": list(sources)})


def merge_profiles(con: duckdb.DuckDBPyConnection, merge: Merge, suffix: str) -> None:
    """Make `merged<suffix>(unit_dpid, unit_id, dpid, id)`: which profiles are judged together, of `last_auth<suffix>` (SEG-005).

    Profiles that are judged alone are not in it; unit NULL = not judged at all.
    """
    if merge.rule not in ("last_auth_device", "profile_link"):
        make(con, "merged" + suffix, sql(__file__, "merged_nothing.sql"))
        return
    con.execute("CREATE OR REPLACE TEMP VIEW last_auth AS FROM last_auth" + suffix)
    limit = {"most_devices": MOST_DEVICES} if merge.rule == "profile_link" else {}
    make(con, "merged" + suffix, sql(__file__, f"merged_{merge.rule}.sql"), {"sources": list(merge.sources)} | limit)


def place_profiles(con: duckdb.DuckDBPyConnection, merge: Merge, cross_device: Sequence[int]) -> None:
    """Make `place(unit, profile, dpid, id)` of `judged_profile`, `merged_now` and `gone_now`."""
    params = {"people": list(cross_device), "sources": list(merge.sources), "devices": merge.takes_devices}
    make(con, "place", sql(__file__, "place.sql"), params)


def judge(con: duckdb.DuckDBPyConnection, judged: Sequence[Definition], day: date) -> list[BitMap]:
    """The units (numbers of `place`) that satisfy each segment at the end of `day`, in the order of `judged`.

    Reads `place` and the views `traits_now` and `counts_now`.
    """
    having = find_facts(con, [fact for definition in judged for fact in definition.rule.facts], day)
    return [members(definition.rule, having) for definition in judged]


def find_facts(con: duckdb.DuckDBPyConnection, facts: Iterable[Fact], day: date) -> dict[Fact, BitMap]:
    """The units of `place` that have each fact at the end of `day`."""
    distinct = list(dict.fromkeys(facts))
    having = _holding(con, [fact for fact in distinct if isinstance(fact, Held)])
    return having | _counting(con, [fact for fact in distinct if isinstance(fact, Counted)], day)


def _holding(con: duckdb.DuckDBPyConnection, facts: Sequence[Held]) -> dict[Fact, BitMap]:
    traits = sorted({trait for fact in facts for trait in fact.traits})
    register(con, "held_trait", {"key": (range(len(traits)), pa.uint32()), "trait_id": (traits, pa.int64())})
    units = bitmaps(con, sql(__file__, "held.sql"), len(traits)) if traits else []
    of_trait = dict(zip(traits, units, strict=True))
    return {fact: of_trait[fact.traits[0]].union(*(of_trait[trait] for trait in fact.traits[1:])) for fact in facts}


def _counting(con: duckdb.DuckDBPyConnection, facts: Sequence[Counted], day: date) -> dict[Fact, BitMap]:
    if not facts:
        return {}
    tallies: dict[Any, int] = {}
    for fact in facts:
        tallies.setdefault((fact.summed, fact.capped, fact.window), len(tallies))
    rows = [
        (number, trait, trait in capped, *_window(window, day))
        for (summed, capped, window), number in tallies.items()
        for trait in (*summed, *capped)
    ]
    columns = {"tally": pa.int32(), "trait_id": pa.int64(), "capped": pa.bool_(), "first": pa.date32(), "last": pa.date32()}
    register(con, "tally_trait", {name: ([row[i] for row in rows], kind) for i, (name, kind) in enumerate(columns.items())})
    register(
        con,
        "count_fact",
        {
            "key": (range(len(facts)), pa.uint32()),
            "tally": ([tallies[fact.summed, fact.capped, fact.window] for fact in facts], pa.int32()),
            "op": ([fact.op for fact in facts], pa.string()),
            "count": ([fact.times for fact in facts], pa.int64()),
        },
    )
    return dict(zip(facts, bitmaps(con, sql(__file__, "counted.sql"), len(facts)), strict=True))


def _window(window: tuple[str, int] | None, day: date) -> tuple[date, date]:
    """First and last date inside, seen from `day` (SEG-033)."""
    if window is None:
        return _NEVER, day
    edge = _days_before(day, window[1])
    return (edge, day) if window[0] == "<=" else (_NEVER, edge)


def _days_before(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - _NEVER).days))


def edges(facts: Iterable[Fact], last: date, day: date) -> list[Edge]:
    """What left or entered a window between the end of `last` and the end of `day` without being realized (SEG-054)."""
    found: dict[Edge, None] = {}
    for fact in facts:
        if isinstance(fact, Held) or fact.window is None:
            continue
        op, days = fact.window
        first, past = _days_before(last, days), _days_before(day, days)  # "<=" loses what is older than `past` now
        if op == "<=":
            past -= timedelta(days=1) if past > _NEVER else timedelta()
        else:  # ">=" gains what was younger than `first`
            first += timedelta(days=1)
        for trait in (*fact.summed, *fact.capped):
            found[Edge(trait, trait in fact.capped, first, past)] = None
    return list(found)


def bitmaps(con: duckdb.DuckDBPyConnection, query: str, count: int) -> list[BitMap]:
    """For each key below `count` the set of numbers that `query`, with columns (key, number), gives for it.

    Read some rows at a time, so memory holds the sets and no more.
    """
    sets = [BitMap() for _ in range(count)]
    for batch in con.execute(query).to_arrow_reader(_ROWS):
        keys = batch.column(0).to_numpy().astype(np.uint16 if count <= 1 << 16 else np.uint32)  # sorted by radix
        order = np.argsort(keys, kind="stable")
        keys, numbers = keys[order], batch.column(1).to_numpy().astype(np.uint32)[order]
        starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] + 1)) if len(keys) else np.array([], dtype=np.int64)
        for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
            sets[keys[start]] |= BitMap(array("I", numbers[start:end].tobytes()))
    return sets


def register_sets(con: duckdb.DuckDBPyConnection, view: str, key: str, number: str, sets: Sequence[BitMap]) -> None:
    """Make `view`, to be read once: columns `key` (position of the set) and `number` (each of its members).

    One set at a time becomes rows, while it is read.
    """
    columns = pa.schema({key: pa.uint32(), number: pa.uint32()})

    def rows() -> Iterator[pa.RecordBatch]:
        for position, each in enumerate(sets):
            if not each:
                continue
            numbers = np.frombuffer(each.to_array(), dtype=np.uint32)
            yield pa.record_batch([np.full(len(numbers), position, dtype=np.uint32), numbers], schema=columns)

    con.register(view, pa.RecordBatchReader.from_batches(columns, rows()))


def register(con: duckdb.DuckDBPyConnection, view: str, columns: dict[str, tuple[Any, pa.DataType]]) -> None:
    """Make the view `view` of values from Python: (values, type) by column."""
    con.register(view, pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()}))
