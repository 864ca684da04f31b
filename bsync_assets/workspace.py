"""Opening a workspace: its catalog, judged by every room that has a say in it.

This is the one place that knows all the checks; the catalog itself knows none but its own.
"""

from __future__ import annotations

from pathlib import Path

from bsync_assets.catalog import Catalog, load_catalog, workspace_home
from bsync_assets.rules.check import rule_problems


def open_catalog(home: Path | None = None) -> Catalog:
    """The catalog of the workspace at `home`, by default `workspace_home()`.

    Raises `CatalogError` with all mistakes of all files, those of rules included.
    """
    return load_catalog(home or workspace_home(), checks=(rule_problems,))
