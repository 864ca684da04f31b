"""bsync: the daily exchange of visitor data with partners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def connect(home: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection to the published views of the workspace at `home` (default: BSYNC_HOME).

    For analysts: `bsync_assets.connect().sql("FROM receipts").df()`. It sees finished runs only, and holds up nobody.
    Raises FileNotFoundError when nothing was published yet.
    """
    import duckdb

    from bsync_assets.catalog import workspace_home
    from bsync_assets.warehouse.publish import published_file

    file = published_file(home or workspace_home())
    if not file.exists():
        raise FileNotFoundError(f"nothing is published yet at {file}; run a day first: bsync run --day DAY")
    return duckdb.connect(str(file), read_only=True)
