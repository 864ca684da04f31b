"""The lake as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import PrivateAttr

from bsync_assets.warehouse.lake import attach, single_writer


class LakeResource(DuckDBResource):
    """Connections to the lake of one workspace. The run that uses it is the lake's one writer from its first step to its last.

    Another writer is waited for, `wait_seconds` long; then LakeBusy is raised. A killed run holds nothing.
    """

    database: str = ":memory:"
    home: str
    wait_seconds: float = 3600.0
    _held: ExitStack | None = PrivateAttr(default=None)
    _lake: duckdb.DuckDBPyConnection = PrivateAttr()

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Become the writer and attach the lake, once for all steps."""
        with ExitStack() as stack:
            stack.enter_context(single_writer(Path(self.home), self.wait_seconds))
            self._lake = stack.enter_context(closing(duckdb.connect(self.database)))
            attach(self._lake, Path(self.home))
            self._held = stack.pop_all()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Let others write."""
        if self._held is not None:
            self._held.close()

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with temp tables of its own and the lake attached as `lake`, closed whatever happens."""
        with closing(self._lake.cursor()) as con:
            yield con
