"""The `.sql` files of the package: the header of each says what one has to have to run it, and DuckDB understands it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from demo import copy_demo

import bsync_assets
from bsync_assets.assets.resources import LakeResource
from bsync_assets.runs import run_days
from bsync_assets.warehouse.lake import attach
from bsync_assets.warehouse.tables import TABLES, VIEWS

PACKAGE = Path(bsync_assets.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.sql"))}

#: Files that define macros instead of asking for rows.
MACROS = {"exchange/ids.sql", "rules/macros.sql", "rules/ttl.sql"}
#: What anybody can read in the published file.
PUBLISHED = {table.name for table in (*TABLES, *VIEWS)} | {table.changes for table in TABLES}
PUBLISHED |= {f"{table.name}_by_day" for table in TABLES}


def header(text: str) -> str:
    """The comment that a file begins with."""
    found = re.match(r"(--.*\n)*", text)
    return found[0] if found else ""


def parameters(text: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", re.sub(r"--.*", "", text)))


def tables_read(text: str) -> set[str]:
    """Tables and views that a SELECT reads, as it names them, but for its own CTEs."""
    tree = json.loads(duckdb.execute("SELECT json_serialize_sql($q::VARCHAR)", {"q": text.rstrip().rstrip(";")}).fetchall()[0][0])
    assert not tree["error"], tree["error_message"]
    found: set[str] = set()
    own: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                found.add(".".join(filter(None, (node["catalog_name"], node["schema_name"], node["table_name"]))))
            own.update(entry["key"] for entry in node.get("cte_map", {}).get("map", []))
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                walk(child)

    walk(tree)
    return found - own


def to_be_named(text: str) -> set[str]:
    """What has to be there besides the lake and the published file."""
    read = {table for table in tables_read(text) if not table.startswith(("lake.main.", "stored."))}
    return {table.removeprefix("temp.") for table in read if table not in PUBLISHED}


@pytest.mark.parametrize("name", FILES)
def test_header_names_what_the_file_reads(name: str) -> None:
    said = header(FILES[name])

    missing = {f"${parameter}" for parameter in parameters(FILES[name])} - set(re.findall(r"\$\w+", said))
    if name not in MACROS:
        missing |= to_be_named(FILES[name]) - set(re.findall(r"`(\w+)", said))

    assert len(said.split()) > 5 and missing == set()
