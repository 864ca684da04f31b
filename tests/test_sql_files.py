"""The `.sql` files of the package: the header of each says what one has to have to run it, and DuckDB understands it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import duckdb
import pytest
from demo import DAYS, copy_demo

import bsync_assets
from bsync_assets.assets.resources import LakeResource
from bsync_assets.runs import run_days
from bsync_assets.transport.captures import capture_folder
from bsync_assets.warehouse.tables import TABLES, VIEWS

MONDAY = DAYS[0]
PACKAGE = Path(bsync_assets.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.sql"))}

#: Files that define macros instead of asking for rows.
MACROS = {"exchange/ids.sql", "rules/macros.sql", "rules/ttl.sql"}
#: Files whose tables live no longer than a slice of a file, a delivery, an import, a preview: the tests of their rooms run them.
PASSING = (
    "exchange/*", "importing/*", "rules/*", "validate/*", "assets/outbound_files/*", "assets/id_sync_events/records.sql",
    "assets/matched_traits/near_users.sql", "assets/matched_traits/slice_rejects.sql", "assets/profile_traits/held_manifest.sql",
    "assets/segment_members/counted.sql", "assets/segment_members/members.sql", "assets/segment_members/merged_*_*.sql",
    "assets/segment_members/preview_reach.sql",
)  # fmt: skip
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


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """The published file after two days of the demo with one call of a browser, the lake, and every connection of a step of the
    run, with all that the step left in it."""
    home = copy_demo(tmp_path_factory.mktemp("sql") / "home")
    folder = capture_folder(home, MONDAY)
    folder.mkdir(parents=True)
    call = {"at": f"{MONDAY} 10:00:00.000000", "call": "event", "outcome": "taken", "device": "1" * 38}
    (folder / "a.jsonl").write_text(json.dumps(call) + "\n")
    kept = []

    @contextmanager
    def keep(resource: LakeResource) -> Iterator[duckdb.DuckDBPyConnection]:
        kept.append(resource._lake.cursor())
        yield kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LakeResource, "get_connection", keep)
        patch.setattr(LakeResource, "teardown_after_execution", lambda resource, context: None)
        run_days(home, *DAYS[:2])  # segments are judged by what changed from the second day on
    kept.insert(0, duckdb.connect(str(home / "lake" / "bsync.duckdb"), read_only=True))
    yield kept
    for con in kept:
        con.close()


@pytest.mark.parametrize("name", [name for name in FILES if not any(fnmatch(name, pattern) for pattern in PASSING)])
def test_file_runs_where_its_tables_are(connections: list[duckdb.DuckDBPyConnection], name: str) -> None:
    values = {"day": MONDAY, "origin": MONDAY, "now": datetime(2026, 1, 6), "listed": 1}
    given = {parameter: values.get(parameter) for parameter in parameters(FILES[name])}
    refusals = []
    for con in connections:
        try:
            con.execute(FILES[name], given).fetchall()
            return
        except duckdb.Error as error:
            refusals.append(str(error))
    pytest.fail("no step of the run could run it: " + "\n".join(sorted(set(refusals), key=len)[-3:]))
