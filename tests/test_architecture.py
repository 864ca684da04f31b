"""Which room may know which: imports go one way, and Dagster stays in its own rooms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bsync_assets

PACKAGE = Path(bsync_assets.__file__).parent

#: Rooms, from the ground up. One knows its own modules and those of the floors below; neighbours on a floor do not know each
#: other. The modules in `assets/` that speak Dagster stand above what they put into the graph.
FLOORS = (
    {"sqlfiles"},
    {"catalog"},
    {"rules"},
    {"exchange"},
    {"warehouse", "transport", "mail"},
    {"connect", "workspace"},
    {"assets"},
    {"explain", "importing", "validate", "sync_server"},
    {"assets.oversight", "assets.resources"},
    {"assets.graph"},
    {"definitions", "runs"},
    {"decisions", "demo", "status", "upkeep"},
    {"cli"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

#: The only rooms that import Dagster; the others run without it.
SPEAK_DAGSTER = {"assets.graph", "assets.oversight", "assets.resources", "runs"}


def room_of(module: str) -> str:
    """`bsync_assets.mail.render` -> `mail`; names of the package itself are its function `connect`."""
    parts = module.split(".")[1:] or ["connect"]
    return ".".join(parts[:2]) if ".".join(parts[:2]) in FLOOR else parts[0]


def imports() -> Iterator[tuple[str, str, str]]:
    """(where, importing room, imported module) for each import in the package, those inside functions included."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
        folder = parts[:-1]
        room = room_of(".".join(folder if parts[-1] in ("__init__", "__main__") else parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield where, room, alias.name
            elif isinstance(node, ast.ImportFrom):
                base = folder[: len(folder) - node.level + 1] if node.level else []
                module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
                for alias in node.names:  # `from bsync_assets.assets import id_sync` names a module, most others a thing in one
                    yield where, room, f"{module}.{alias.name}"


def test_imports_go_down_only() -> None:
    known = [(where, room, room_of(module)) for where, room, module in imports() if module.split(".")[0] == PACKAGE.name]

    wrong = [f"{where}: {room} imports {other}" for where, room, other in known if room != other and FLOOR[other] >= FLOOR[room]]

    assert len(known) > 300 and wrong == []


def test_only_what_makes_the_graph_and_runs_it_imports_dagster() -> None:
    speakers = {room for _, room, module in imports() if module.split(".")[0].startswith("dagster")}

    assert speakers == SPEAK_DAGSTER


def test_readme_names_every_room() -> None:
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)/`|`(\w+\.py)`", readme[readme.index("## How it is built") :]))

    rooms = {path for folder in (PACKAGE, PACKAGE / "assets") for path in folder.iterdir() if path.name[0] not in "_."}
    names = {path.name for path in rooms if path.is_dir() or path.suffix == ".py"}

    assert names == {folder or module for folder, module in named} - {PACKAGE.name}
