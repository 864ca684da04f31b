"""The inbound path, from files to receipts, against what a user would write instead. Writes RESULTS.md.

    python -m benchmarks.bench_inbound                       2 M records: all parts
    python -m benchmarks.bench_inbound --records 10000000    10 M records, without pandas

Parts: `compare` (same files, same counters, same memberships), `hard` (the same records in every spelling of
the grammar), `scaling` (against a tenth of the records), `partners` (200 partners with 1,000 records against
one with 200,000).

The time of a script is what it measures itself, without the start of its interpreter and its imports. The
time of bsync is the whole command on the full day less the whole command on the empty day before. The links
were loaded by the run of a day before that; the scripts read them, like the rules, from a Parquet file. Of
several attempts the fastest counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.measure import measure
from benchmarks.report import machine, table, write_section
from benchmarks.workspace import Delivery, clear, delivery, run_day, warm

HERE = Path(__file__).resolve().parent
SCRIPTS = ("polars", "duckdb", "pandas")
PARTS = ("compare", "hard", "scaling", "partners")
PANDAS_UP_TO = 2_000_000  # records; above, pandas takes a quarter of an hour


@dataclass(frozen=True)
class Result:
    """What one contender did with a delivery."""

    name: str
    records: int
    seconds: float  # comparable: start and imports (bsync: the empty day) taken off
    whole_seconds: float  # the whole command
    peak_mb: float
    counters: dict[str, int]
    memberships: tuple[int, int]  # count, sum of hashes

    @property
    def rate(self) -> float:
        return self.records / self.seconds


@dataclass(frozen=True)
class Goal:
    """A figure that was promised: met when `value` is at most (or at least) `bound`."""

    text: str
    value: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def row(self) -> list[str]:
        sign = "at most" if self.at_most else "at least"
        value = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.2f}"
        return [self.text, f"{sign} {self.bound:,}", value, "yes" if self.met else "NO"]


Outcome = tuple[str, list[Goal], list[str]]  # of a part: its text, the goals it measured, what is wrong


def fastest(attempt: Callable[[], Result], repeat: int) -> Result:
    """The fastest of some attempts: what else the machine does can only make one slower."""
    return min((attempt() for _ in range(repeat)), key=lambda result: result.seconds)


def run_script(name: str, given: Delivery) -> Result:
    """Run one of the compared scripts on a delivery."""
    print(f"{name} in {given.folder.name}", file=sys.stderr, flush=True)
    out = given.folder / f"{name}.parquet"
    script = HERE / "competitors" / f"{name}_script.py"
    measured = measure([sys.executable, str(script), str(given.folder), str(out)])
    said = json.loads(measured.output)
    with duckdb.connect() as connection:
        count, hashes = _one_row(connection, "memberships", {"path": str(out)}).values()
    return Result(
        name,
        given.records,
        said["seconds"],
        measured.seconds,
        measured.peak_mb,
        said["counters"],
        (count, hashes),
    )


@once
def bsync_result(given: Delivery, repeat: int) -> Result:
    """The fastest run of bsync on a delivery, measured once however many parts ask for it."""
    return fastest(lambda: run_bsync(given), repeat)


def run_bsync(given: Delivery) -> Result:
    """Run links, the empty day and the full day on a cleared workspace; peak memory is that of all three."""
    clear(given)
    links, empty, full = (run_day(given, day) for day in (given.link_day, given.empty_day, given.day))
    with duckdb.connect(given.home / "lake/bsync.duckdb", read_only=True) as connection:
        counters = {name: int(value) for name, value in _one_row(connection, "bsync_counters", {"day": given.day}).items()}
        count, hashes = _one_row(connection, "bsync_memberships", {}).values()
    seconds = max(full.seconds - empty.seconds, 0.01)
    peak_mb = max(run.peak_mb for run in (links, empty, full))
    return Result("bsync", given.records, seconds, full.seconds, peak_mb, counters, (count, hashes))


def differences(given: Delivery, results: list[Result]) -> list[str]:
    """In what a result differs from the first one, and the first one from what the generator knows."""
    found = []
    for name, value in {"received": given.records, "format_errors": given.bad_lines}.items():
        if results[0].counters[name] != value:
            found.append(f"{name}: {value} made, {results[0].name} {results[0].counters[name]}")
    for other in results[1:]:
        first = results[0]
        for name, value in first.counters.items():
            if other.counters.get(name) != value:
                found.append(f"{name}: {first.name} {value}, {other.name} {other.counters.get(name)}")
        if other.memberships != first.memberships:
            counts = f"{first.name} {first.memberships}, {other.name} {other.memberships}"
            found.append(f"memberships (count, sum of hashes): {counts}")
    return found


def result_table(results: list[Result], base: str) -> str:
    """One row per contender; the ratio is its time divided by that of `base`."""
    base_seconds = next((result.seconds for result in results if result.name == base), results[0].seconds)
    rows = [
        [
            result.name,
            f"{result.seconds:.1f}",
            f"{result.whole_seconds:.1f}",
            f"{result.rate:,.0f}",
            f"{result.seconds / base_seconds:.2f}",
            f"{result.peak_mb:,.0f}",
        ]
        for result in results
    ]
    return table(["contender", "seconds", "whole command", "records/s", f"time / {base}", "peak MB"], rows)


def compare(cache: Path, records: int, contenders: list[str], repeat: int) -> Outcome:
    """Every contender on the same files."""
    given = delivery(cache, records)
    clear(given)
    warm(given)
    results = [fastest(partial(run_script, name, given), repeat) for name in contenders if name != "bsync"]
    if "bsync" in contenders:
        results.append(bsync_result(given, repeat))
    seconds = {result.name: result.seconds for result in results}
    goals = []
    if "bsync" in seconds:
        ours = results[-1]
        goals = [
            Goal("records a second", ours.rate, 150_000, at_most=False),
            Goal("peak MB", ours.peak_mb, 4096),
        ]
        if "polars" in seconds:
            goals.append(Goal("time / time of Polars", ours.seconds / seconds["polars"], 2.5))
        if "pandas" in seconds:
            goals.append(Goal("times faster than pandas", seconds["pandas"] / ours.seconds, 15, at_most=False))
    counters = table(["counter", "value"], [[name, f"{value:,}"] for name, value in results[0].counters.items()])
    heading = f"{given.bytes / 1e9:.2f} GB in files of at most 1 GB, {results[0].memberships[0]:,} memberships."
    return f"{heading}\n\n{result_table(results, 'polars')}\n\n{counters}", goals, differences(given, results)


def hard(cache: Path, records: int, repeat: int) -> Outcome:
    """The same records, plain and in every spelling of the grammar: equal results, and what that costs."""
    given = delivery(cache, records)
    plain = bsync_result(given, repeat)
    spelled = bsync_result(delivery(cache, records, hard=True), repeat)
    ratio = spelled.seconds / plain.seconds
    text = f"{spelled.seconds:.1f} s, {ratio:.2f} times the plain files; {spelled.peak_mb:,.0f} MB."
    return text, [Goal("peak MB, hard files", spelled.peak_mb, 4096)], differences(given, [plain, spelled])


def scaling(cache: Path, records: int, repeat: int) -> Outcome:
    """Ten times the records: how much longer."""
    tenth = delivery(cache, records // 10)
    small, large = bsync_result(tenth, repeat), bsync_result(delivery(cache, records), repeat)
    ratio = large.seconds / small.seconds
    text = f"{small.records:,} records: {small.seconds:.1f} s; {large.records:,}: {large.seconds:.1f} s."
    return text, [Goal("time of ten times the records", ratio, 11)], differences(tenth, [small])


def partners(cache: Path, repeat: int) -> Outcome:
    """Many small partners against one of the size of all."""
    shared_out = delivery(cache, 1_000, partners=200)
    many, one = bsync_result(shared_out, repeat), bsync_result(delivery(cache, 200_000), repeat)
    ratio = many.seconds / one.seconds
    text = (
        f"200 partners x 1,000 records: {many.seconds:.1f} s besides an empty day, {many.peak_mb:,.0f} MB; "
        f"one x 200,000: {one.seconds:.1f} s, {one.peak_mb:,.0f} MB."
    )
    return text, [Goal("time of 200 partners / one", ratio, 3)], differences(shared_out, [many])


def _one_row(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, str]) -> dict[str, int]:
    """The only row of a query of this folder, by column name."""
    result = connection.execute((HERE / f"{query}.sql").read_text(), parameters)
    names = [column[0] for column in result.description or ()]
    return dict(zip(names, result.fetchone() or (), strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/bsync-benchmarks"), help="where deliveries are kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--contenders", nargs="+", choices=(*SCRIPTS, "bsync"), help="of the part compare")
    parser.add_argument("--repeat", type=int, default=2, help="attempts of each contender; the fastest counts")
    arguments = parser.parse_args()
    records, cache, repeat = arguments.records, arguments.cache, arguments.repeat
    scripts = [name for name in SCRIPTS if name != "pandas" or records <= PANDAS_UP_TO]
    contenders = arguments.contenders or [*scripts, "bsync"]
    run_part: dict[str, Callable[[], Outcome]] = {
        "compare": lambda: compare(cache, records, contenders, repeat),
        "hard": lambda: hard(cache, records, repeat),
        "scaling": lambda: scaling(cache, records, repeat),
        "partners": lambda: partners(cache, repeat),
    }
    texts, goals, wrong = [], [], []
    for part in arguments.parts:
        text, promised, different = run_part[part]()
        texts.append(f"**{part}**: {text}")
        goals += promised
        wrong += [f"- {part}: {line}" for line in different]
    if goals:
        texts.append(table(["goal", "bound", "measured", "met"], [goal.row() for goal in goals]))
    verdict = "All results are equal." if not wrong else "RESULTS DIFFER:\n" + "\n".join(wrong)
    body = "\n\n".join([*texts, verdict])
    print(f"{machine()}\n\n{body}")
    some = "" if tuple(arguments.parts) == PARTS else f" ({', '.join(arguments.parts)})"
    write_section(f"Inbound, {records:,} records{some}", body)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
