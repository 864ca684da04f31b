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

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Become the writer."""
        self._held = ExitStack()
        self._held.enter_context(single_writer(Path(self.home), self.wait_seconds))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Let others write."""
        if self._held is not None:
            self._held.close()

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own with the lake attached as `lake`, closed whatever happens."""
        with closing(duckdb.connect(self.database)) as con:
            attach(con, Path(self.home))
            yield con
