from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from bsync_assets.warehouse.lake import attach


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a new lake."""
    with closing(duckdb.connect()) as connection:
        attach(connection, tmp_path)
        yield connection
