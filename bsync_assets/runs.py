"""Running days without the UI: the same definitions, the same Dagster instance, in this process; and pruning its event log."""

from __future__ import annotations

import fcntl
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from bsync_assets.assets.graph import build_defs, range_tags
from bsync_assets.assets.resources import LakeResource
from bsync_assets.catalog import Catalog, workspace_home
from bsync_assets.warehouse.publish import last_day_run
from bsync_assets.workspace import open_catalog

#: One machine: one run at a time, and the slot of a run that died is freed.
_DAGSTER_YAML = """\
# Written by bsync when the workspace was first used; yours to change. See docs/operations.md.
concurrency:
  pools:
    granularity: run
    default_limit: 1
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
run_retries:                              # a run whose process died is started once more; a fault inside one is not repeated
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
retention:
  sensor: {purge_after_days: {skipped: 1, failure: 30, success: 90}}
  schedule: {purge_after_days: {skipped: 30, failure: 90, success: 390}}
telemetry:
  enabled: false
nux:
  enabled: false
"""


class RunRefused(ValueError):
    """These days or this partner cannot be run; says why."""


def dagster_home(home: Path) -> Path:
    """DAGSTER_HOME of a workspace, made ready. Under a lock: two first starts at once broke it in trials."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".first-start", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ["DAGSTER_HOME"] = str(folder)
        if not (folder / "dagster.yaml").exists():
            (folder / "dagster.yaml").write_text(_DAGSTER_YAML, encoding="utf-8")
            dg.DagsterInstance.get().dispose()
    return folder


def run_days(home: Path | None, first: date, last: date, partner: str | None = None) -> bool:
    """Run the days `first` to `last`, of one partner or of all, as one run of the job `daily`; answers whether it succeeded.

    State folds forward: days after `last` that were run before are run again in the same run.
    Raises RunRefused, CatalogError, LakeBusy.
    """
    home = home or workspace_home()
    catalog = open_catalog(home)
    _check(catalog, first, last, partner)
    last = max(last, last_day_run(catalog.home) or last)
    defs = build_defs(home=home, resources={"lake": LakeResource(home=str(catalog.home), wait_seconds=5.0)})
    dagster_home(catalog.home)
    selection = None
    if partner is not None:
        shared = [key for key in defs.resolve_asset_graph().get_all_asset_keys() if len(key.path) == 1]
        selection = [*shared, *(dg.AssetKey([partner, stage]) for stage in ("inbound_files", "matched_traits", "receipts"))]
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("daily").execute_in_process(
            instance=instance,
            tags=range_tags(first, last),
            asset_selection=selection,
            raise_on_error=True,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return result.success


def _check(catalog: Catalog, first: date, last: date, partner: str | None) -> None:
    start = catalog.settings.account.start
    if first > last:
        raise RunRefused(f"--to {last} lies before --day {first}")
    today = datetime.now(UTC).date()
    if last > today + timedelta(days=366):  # each day up to it would be run
        raise RunRefused(f"{last} lies more than a year ahead; today is {today}")
    if first < start:
        raise RunRefused(f"the first day of this workspace is {start} (account.start in bsync.yaml); {first} lies before it")
    if partner is not None and partner not in catalog.partners:
        raise RunRefused(f"there is no partner {partner!r} in catalog/partners.yaml, only {', '.join(catalog.partners)}")


def prune_event_log(home: Path, days: int) -> int:
    """Delete finished runs that are older, with their events and logs: they grow without end, and the lake has what counts."""
    storage = dagster_home(home) / "storage"
    before = datetime.now(UTC) - timedelta(days=days)
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    pruned = 0
    with dg.DagsterInstance.get() as instance:
        while records := instance.get_run_records(dg.RunsFilter(statuses=finished, created_before=before), limit=200):
            for record in records:
                instance.delete_run(record.dagster_run.run_id)
                shutil.rmtree(storage / record.dagster_run.run_id, ignore_errors=True)
            pruned += len(records)
    return pruned
