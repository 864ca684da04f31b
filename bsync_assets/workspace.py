"""Opening a workspace: its catalog, judged by every room that has a say in it.

This is the one place that knows all the checks; the catalog itself knows none but its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from bsync_assets.catalog import Catalog, load_catalog, workspace_home
from bsync_assets.exchange.check import template_problems
from bsync_assets.rules.check import rule_problems
from bsync_assets.rules.export_controls import export_problems


def open_catalog(home: Path | None = None) -> Catalog:
    """The catalog of the workspace at `home`, by default `workspace_home()`.

    Raises `CatalogError` with all mistakes of all files, those of rules, templates and export controls included.
    """
    home = home or workspace_home()
    return load_catalog(home, checks=(rule_problems, template_problems, export_problems(mappings_in_force(home))))


def mappings_file(home: Path) -> Path:
    """Where the outbound stage writes which mappings it has sent."""
    return home / "lake" / "outbound" / "mappings.json"


def mappings_in_force(home: Path) -> set[tuple[int, int]]:
    """(destination, segment) pairs that went out before: an export control that blocks one of them later stops that mapping, not
    the workspace (OUT-026)."""
    file = mappings_file(home)
    return {(destination, segment) for destination, segment in json.loads(file.read_text())} if file.exists() else set()
