"""The lineage graph: each stage becomes one Dagster step for all partners selected, each partner has assets of its own.

What belongs here: how stages hang together, and what Dagster shows of them. What a stage does is in the stage's own room.
"""

# No postponed annotations here: Dagster reads those of a step when it is defined.

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from bsync_assets.assets.arrivals import new_arrivals
from bsync_assets.assets.id_sync import link_ids, read_sync_files
from bsync_assets.assets.id_sync_events import take_events
from bsync_assets.assets.inbound_files import take_stock
from bsync_assets.assets.maintenance import end_retention
from bsync_assets.assets.matched_traits import match_records
from bsync_assets.assets.outbound_files import deliver_segments
from bsync_assets.assets.outbound_files.alerts import send_alerts
from bsync_assets.assets.oversight import check, check_specs, failed_runs
from bsync_assets.assets.profile_traits import apply_records
from bsync_assets.assets.receipt_mail import send_due
from bsync_assets.assets.receipts import issue_receipts
from bsync_assets.assets.reports import report_file, write_report
from bsync_assets.assets.resources import LakeResource
from bsync_assets.assets.segment_members import judge_segments
from bsync_assets.catalog.models import Catalog, Partner
from bsync_assets.validate.answers import answer_test_files
from bsync_assets.warehouse.lake import append, transaction
from bsync_assets.warehouse.publish import last_day_run, publish, published_file
from bsync_assets.warehouse.rows import rows_table
from bsync_assets.warehouse.tables import BY_NAME, VIEWS
from bsync_assets.workspace import open_catalog

progress = logging.getLogger("bsync.progress")

#: What may be over in a moment: the disk, the network. Bad data never raises, and a fault of ours stays one.
MACHINE_FAULTS = (OSError, duckdb.IOException)
RETRY_SECONDS = 10
_TABLES_AND_VIEWS = BY_NAME | {view.name: view for view in VIEWS}

#: What one stage did on one day: per asset, figures for its metadata.
Figures = Mapping[dg.AssetKey, Mapping[str, Any]]


@dataclass(frozen=True)
class Now:
    """What a stage is given besides the lake and the catalog."""

    day: date
    partners: Sequence[str]
    run_id: str
    started: datetime


Work = Callable[[duckdb.DuckDBPyConnection, Catalog, Now], Figures]


def build_defs(*, home: Path | None = None, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions of the workspace at `home` (default: BSYNC_HOME), the same for UI, commands and tests.

    Raises CatalogError with all mistakes of the catalog.
    """
    catalog = open_catalog(home)
    job = daily_job()
    return dg.Definitions(
        assets=stages(catalog),
        jobs=[job],
        schedules=[close_the_day(catalog, job)],
        sensors=[arrivals(catalog, job), test_files(catalog), failed_runs(catalog)],
        resources={"lake": LakeResource(home=str(catalog.home)), **(resources or {})},
        executor=dg.in_process_executor,
    )


def partitions(catalog: Catalog) -> dg.DailyPartitionsDefinition:
    """UTC days from the account's first one; today has a partition too, so that early files get their receipts today."""
    return dg.DailyPartitionsDefinition(start_date=catalog.settings.account.start.isoformat(), end_offset=1)


def stages(catalog: Catalog) -> list[dg.AssetsDefinition]:
    """All assets of the workspace, in the order in which data passes through them."""
    names = list(catalog.partners)
    inbound, matched, receipts = (
        [dg.AssetKey([name, stage]) for name in names] for stage in ("inbound_files", "matched_traits", "receipts")
    )
    make = _Maker(catalog)
    return [
        make.per_partner(
            "inbound_files",
            "inbound",
            "The day's manifest: every file seen, accepted or refused with its code.",
            lambda partner: [],
            lambda con, catalog, now: take_stock(con, catalog, now.day, now.partners),
        ),
        make.single(
            "id_sync_files",
            "id_sync",
            "Rows of the day's ID-sync files, one outcome each.",
            inbound,
            lambda con, catalog, now: read_sync_files(con, catalog, now.day),
            table="id_sync_pairs",
        ),
        make.single(
            "id_sync_events",
            "id_sync",
            "ID syncs, visits and opt-outs that the HTTP service captured on the day.",
            [],
            lambda con, catalog, now: take_events(con, catalog, now.day),
        ),
        make.single(
            "id_links",
            "id_sync",
            "Which device each ID belongs to, at the end of the day.",
            [dg.AssetKey("id_sync_events"), dg.AssetKey("id_sync_files")],
            lambda con, catalog, now: link_ids(con, catalog, now.day),
        ),
        make.per_partner(
            "matched_traits",
            "matched",
            "Records of the day's data files: matched, realized or rejected, and the trait operations they ask for.",
            lambda partner: [dg.AssetKey([partner, "inbound_files"]), dg.AssetKey("id_links")],
            lambda con, catalog, now: match_records(con, catalog, now.day, now.partners),
            table="trait_operations",
        ),
        make.single(
            "profile_traits",
            "profiles",
            "Which profile holds which trait at the end of the day; what was really added and removed.",
            [*matched, dg.AssetKey("id_links")],
            lambda con, catalog, now: apply_records(con, catalog, now.day),
        ),
        make.single(
            "segment_members",
            "segments",
            "Which ID is in which segment at the end of the day; what changed, with a reason for each removal.",
            [dg.AssetKey("profile_traits"), dg.AssetKey("id_links")],
            lambda con, catalog, now: judge_segments(con, catalog, now.day),
        ),
        make.per_partner(
            "receipts",
            "receipts",
            "One receipt per batch, source and target, and per ID-sync file.",
            lambda partner: [dg.AssetKey([partner, "matched_traits"]), dg.AssetKey("profile_traits")],
            lambda con, catalog, now: {
                partner: {**figures, "report": _path(report_file(catalog.home, now.day))}
                for partner, figures in issue_receipts(con, catalog, now.day, now.partners, now.run_id, now.started).items()
            },
        ),
        make.single(
            "receipt_mail",
            "receipts",
            "Sends what is due; what does not add up goes to operations instead.",
            receipts,
            lambda con, catalog, now: send_due(con, catalog),
            table="mail_outbox",
            once=True,
        ),
        *make.per_destination(
            "outbound_files",
            "outbound",
            "Segments rendered, delivered, with control file; open deliveries first, missing days in order.",
            [dg.AssetKey("segment_members")],
        ),
        make.single(
            "published",
            "publish",
            "`lake/bsync.duckdb`, the views that analysts query, moved into place.",
            [dg.AssetKey("receipt_mail"), dg.AssetKey("segment_members"), *destination_keys(catalog)],
            _finish,
            table="runs",
            once=True,
        ),
        make.reports(),
    ]


def destination_keys(catalog: Catalog) -> dict[dg.AssetKey, int]:
    """The asset of each destination, by its name where that can be part of a key."""
    names = {
        d.id: d.name if re.fullmatch(r"[A-Za-z0-9_]+", d.name) else f"destination_{d.id}" for d in catalog.destinations.values()
    }
    return {dg.AssetKey([name, "outbound_files"]): number for number, name in names.items()}


def _finish(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: Now) -> dict[str, Any]:
    """Publish; when a day was closed, end retention periods before (PRV-04D)."""
    went = end_retention(con, catalog, now.day) if now.day < datetime.now(UTC).date() else {}
    ended = {"ended": sum(went.values()), "what ended": dg.MetadataValue.json(went)} if went else {}
    return {"views": publish(con, catalog.home), "file": _path(published_file(catalog.home)), **ended}


def _path(file: Path) -> dg.PathMetadataValue:
    return dg.MetadataValue.path(str(file))


class _Maker:
    """Makes the assets of one catalog: all alike in partitions, ranges, pool, and in how a stage is run day by day."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.partitions = partitions(catalog)

    def single(
        self,
        name: str,
        group: str,
        description: str,
        deps: Sequence[dg.AssetKey],
        work: Callable[[duckdb.DuckDBPyConnection, Catalog, Now], Mapping[str, Any]],
        table: str | None = None,
        once: bool = False,
    ) -> dg.AssetsDefinition:
        """An asset of the whole account. `once`: done once for a range of days, after the last."""
        key = dg.AssetKey(name)
        spec = self._spec(key, group, description, deps, table or name, ["team:operations"])
        return self._step(name, [spec], lambda con, catalog, now: {key: work(con, catalog, now)}, table or name, once)

    def per_partner(
        self,
        name: str,
        group: str,
        description: str,
        deps: Callable[[str], Sequence[dg.AssetKey]],
        work: Callable[[duckdb.DuckDBPyConnection, Catalog, Now], Mapping[str, Mapping[str, Any]]],
        table: str | None = None,
    ) -> dg.AssetsDefinition:
        """One asset per partner, all in one step."""
        specs = [
            self._spec(
                dg.AssetKey([partner.name, name]), group, description, deps(partner.name), table or name, _owners(partner)
            ).replace_attributes(tags={"partner": partner.name})
            for _, partner in sorted(self.catalog.partners.items())
        ]

        def of_partners(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: Now) -> Figures:
            done = work(con, catalog, now)
            return {dg.AssetKey([partner, name]): done[partner] for partner in now.partners}

        return self._step(name, specs, of_partners, table or name)

    def per_destination(self, name: str, group: str, description: str, deps: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
        """One asset per destination, all in one step; none without destinations."""
        keys = destination_keys(self.catalog)
        specs = [
            self._spec(key, group, description, deps, name, ["team:operations"]).replace_attributes(
                tags={"destination": str(number)}
            )
            for key, number in keys.items()
        ]

        def to_destinations(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: Now) -> Figures:
            chosen = {key: number for key, number in keys.items() if key.path[0] in now.partners}
            if now.day >= datetime.now(UTC).date():  # a day goes out when it is over (OUT-110)
                return {key: {"status": "waits for the end of the day"} for key in chosen}
            outcomes = deliver_segments(con, catalog, now.day, list(chosen.values()))
            send_alerts(catalog, now.day, outcomes)
            return {key: _delivery_figures(outcomes[number]) for key, number in chosen.items()}

        return [self._step(name, specs, to_destinations, name)] if specs else []

    def reports(self) -> dg.AssetsDefinition:
        """What people look at, over the published views: the reports that are views, and the page of the day. One step."""
        specs = [
            self._spec(dg.AssetKey(name), "reports", text, [dg.AssetKey("published")], name, ["team:operations"])
            for name, text in _REPORTS.items()
        ]
        page = dg.AssetSpec(
            "day_report",
            deps=[dg.AssetKey(name) for name in _REPORTS],
            group_name="reports",
            description="`lake/reports/<day>.html`: the exchange at a glance, and what to do next.",
            owners=["team:operations"],
            kinds={"html"},
        )

        def report(con: duckdb.DuckDBPyConnection, catalog: Catalog, now: Now) -> Figures:
            figures, file = write_report(catalog, now.day), report_file(catalog.home, now.day)
            return {dg.AssetKey(name): {"dagster/row_count": figures.pop(name)} for name in _REPORTS} | {
                page.key: {**figures, "report": _path(file), "open": dg.MetadataValue.url(file.as_uri())}
            }

        return self._step("day_report", [*specs, page], report, None)

    def _spec(
        self, key: dg.AssetKey, group: str, description: str, deps: Sequence[dg.AssetKey], table: str, owners: Sequence[str]
    ) -> dg.AssetSpec:
        columns = [dg.TableColumn(c.name, c.type, description=c.comment) for c in _TABLES_AND_VIEWS[table].columns]
        return dg.AssetSpec(
            key,
            deps=deps,
            group_name=group,
            description=description,
            owners=owners,
            kinds={"duckdb"},
            metadata={"dagster/table_name": f"bsync.main.{table}", "dagster/column_schema": dg.TableSchema(columns)},
        )

    def _step(
        self, name: str, specs: Sequence[dg.AssetSpec], work: Work, table: str | None, once: bool = False
    ) -> dg.AssetsDefinition:
        catalog = self.catalog

        @dg.multi_asset(
            name=name,
            specs=specs,
            partitions_def=self.partitions,
            backfill_policy=dg.BackfillPolicy.single_run(),
            can_subset=len(specs) > 1,
            pool="lake",
            check_specs=check_specs() if name == "published" else (),
        )
        def step(
            context: dg.AssetExecutionContext, lake: LakeResource
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            started = datetime.fromtimestamp(context.instance.get_run_stats(context.run.run_id).start_time or time.time(), UTC)
            keys = [spec.key for spec in specs if spec.key in context.selected_asset_keys]
            days = [date.fromisoformat(day) for day in context.partition_keys]
            done: list[tuple[date, Figures]] = []
            try:
                for day in days[-1:] if once else days:
                    now = Now(day, [key.path[0] for key in keys], context.run.run_id, started.replace(tzinfo=None, microsecond=0))
                    began = time.monotonic()
                    with lake.get_connection() as con:
                        if name == "published":
                            _note_days(con, catalog, days, now)
                        figures = work(con, catalog, now)
                        if table is not None:
                            figures = _with_row_counts(con, table, day, figures)
                    _report(context, name, day, figures, time.monotonic() - began)
                    done.append((day, figures))
            except BaseException as fault:
                # Dagster records nothing of a step that fails: say which days are in the lake all the same.
                for day, figures in done:
                    for key in keys:
                        metadata = dict(figures[key])
                        context.log_event(dg.AssetMaterialization(key, partition=day.isoformat(), metadata=metadata))
                if isinstance(fault, MACHINE_FAULTS):
                    raise dg.RetryRequested(max_retries=2, seconds_to_wait=RETRY_SECONDS) from fault
                raise
            for key in keys:
                if len(days) == 1:
                    yield dg.MaterializeResult(asset_key=key, metadata=dict(done[0][1][key]))
                else:
                    for day, figures in done:
                        context.add_asset_metadata(dict(figures[key]), asset_key=key, partition_key=day.isoformat())
                    yield dg.MaterializeResult(asset_key=key)
            if context.selected_asset_check_keys:
                yield from check(catalog, days[-1])

        return step


def _with_row_counts(con: duckdb.DuckDBPyConnection, table: str, day: date, figures: Figures) -> Figures:
    """The figures and how many rows of the day the table has, per partner where it tells them apart; of a state its changes."""
    declared = BY_NAME[table]
    group = "partner" if "partner" in declared.column_names else "NULL"
    query = "SELECT " + group + ", count(*) FROM lake.main." + (declared.changes or table) + " WHERE day = $day GROUP BY ALL"
    counts = dict(con.execute(query, {"day": day}).fetchall())
    return {
        key: {**of_asset, "dagster/row_count": counts.get(key.path[0], 0) if len(key.path) > 1 else sum(counts.values())}
        for key, of_asset in figures.items()
    }


def _delivery_figures(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What the UI shows of a destination: counters of what went out, and in words what keeps something back."""
    figures: dict[str, Any] = {"status": outcome["status"], "deliveries": len(outcome["deliveries"])}
    figures |= {name: sum(d[name] for d in outcome["deliveries"]) for name in ("records", "added", "removed", "failed")}
    if outcome["why"]:
        figures["why"] = outcome["why"]
    if outcome["blocked"]:
        rows = [f"| {b['segment_id']} | {b['code']} | {b['source']} |" for b in outcome["blocked"]]
        figures["blocked"] = dg.MetadataValue.md("\n".join(["| segment | control | carried by |", "|---|---|---|", *rows]))
    return figures


def _owners(partner: Partner) -> list[str]:
    return [*partner.contacts] or ["team:operations"]


def _note_days(con: duckdb.DuckDBPyConnection, catalog: Catalog, days: Sequence[date], now: Now) -> None:
    """Record which days are finished, and with which catalog."""
    finished = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    rows = ({"day": day, "run_id": now.run_id, "catalog_sha256": catalog.content_hash, "finished_at": finished} for day in days)
    with transaction(con):
        rows_table(con, "new_rows", BY_NAME["runs"].columns, rows)
        append(con, "runs", "new_rows")


def _report(context: dg.AssetExecutionContext, name: str, day: date, figures: Figures, seconds: float) -> None:
    """One line per stage and day, summed over partners, for the terminal and for the run's log."""
    total: dict[str, int] = {}
    for of_asset in figures.values():
        for figure, value in of_asset.items():
            if isinstance(value, int) and figure != "dagster/row_count":
                total[figure] = total.get(figure, 0) + value
    text = ", ".join(f"{value:,} {figure.replace('_', ' ')}" for figure, value in total.items()) or "nothing"
    context.log.info(f"{day} {name}: {text} ({seconds:.1f} s)")
    progress.info("%s", text, extra={"day": day, "stage": name, "seconds": seconds})


def daily_job() -> Any:
    """All assets of a day, or of any range of days, in one run and one process."""
    return dg.define_asset_job(
        "daily",
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        description="One day of the exchange: files in, links, traits, profiles, segments, receipts, views.",
    )


def close_the_day(catalog: Catalog, job: Any) -> dg.ScheduleDefinition:
    """At 05:00 UTC: the day before, and whatever days before it were not run, as one run (SEG-055)."""

    @dg.schedule(job=job, cron_schedule="0 5 * * *", execution_timezone="UTC", name="close_the_day")
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        yesterday = now.date() - timedelta(days=1)
        if yesterday < catalog.settings.account.start:
            return dg.SkipReason(f"the first day is {catalog.settings.account.start}")
        first = min(first_open_day(catalog), yesterday)
        if first == yesterday:
            return dg.RunRequest(run_key=f"close {yesterday}", partition_key=yesterday.isoformat())
        return dg.RunRequest(run_key=f"close {first} to {yesterday}", tags=range_tags(first, yesterday))

    return schedule


def arrivals(catalog: Catalog, job: Any) -> dg.SensorDefinition:
    """Files of today and late ones: the stages of their partners for their day, and the state from there on."""

    @dg.sensor(job=job, minimum_interval_seconds=30, name="arrivals")
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        today = datetime.now(UTC).date()
        found = new_arrivals(catalog, today)
        if found is None:
            return dg.SkipReason("no file that was not seen before")
        last = last_day_run(catalog.home)
        # No day is left out: a state rests on the one before.
        first = min(*found.days, last + timedelta(days=1)) if last else catalog.settings.account.start
        last = max(*found.days, last or first)
        per_partner = ("inbound_files", "matched_traits", "receipts")
        chosen = [dg.AssetKey([partner, stage]) for partner in sorted(found.partners) for stage in per_partner]
        return dg.RunRequest(
            run_key=sha256(found.key.encode()).hexdigest(),
            tags=range_tags(first, last),
            asset_selection=[*chosen, *(dg.AssetKey(name) for name in SHARED_STAGES)],
        )

    return sensor


def test_files(catalog: Catalog) -> dg.SensorDefinition:
    """Files in partners' test folders are judged and answered by mail; nothing of them is stored."""

    @dg.sensor(minimum_interval_seconds=30, name="test_files", jobs=[])
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        answered = json.loads(context.cursor or "{}")
        now = answer_test_files(catalog, answered)
        context.update_cursor(json.dumps(now))
        return dg.SkipReason(f"{len(now.keys() - answered.keys())} test files answered")

    return sensor


#: Reports that are views over what other stages wrote.
_REPORTS = {
    "onboarding_status": "What became of every file, and how much of it is a success.",
    "unused_signals": "Pairs that no rule used, and which rule nearly did.",
    "match_rates": "How well the IDs of each source matched, and how that compares with the four weeks before.",
}
#: Stages of the whole account, without deliveries: those wait until the day is over.
SHARED_STAGES = (
    "id_sync_events", "id_sync_files", "id_links", "profile_traits", "segment_members", "receipt_mail", "published",
    *_REPORTS, "day_report",
)  # fmt: skip


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that make one run of a range of days."""
    return {"dagster/asset_partition_range_start": first.isoformat(), "dagster/asset_partition_range_end": last.isoformat()}


def first_open_day(catalog: Catalog) -> date:
    """The day after the last one that was closed, that is, run after it was over."""
    closed = last_day_run(catalog.home, closed=True)
    return closed + timedelta(days=1) if closed else catalog.settings.account.start
