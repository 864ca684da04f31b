"""Everything that README and docs tell people to type: each query is asked of the demo lake, each command is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo import connect, copy_demo

from docs import make_docs

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "data" / "README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [Block(page, text.count("\n", 0, m.start()) + 2, m[1], m[2]) for m in BLOCK.finditer(text)]
    return [block for block in found if block.language in languages]


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_query(block: Block, demo: Path) -> None:
    with connect(demo) as connection:
        assert connection.execute(block.text).fetchall()


def commands(block: Block) -> list[str]:
    """Its lines without comments, what is printed, and prompts."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := line.split("  #")[0].strip()) and not command.startswith("#")]


COMMANDS = [(f"{block}", command) for block in blocks("sh") for command in commands(block)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo for commands that write; they find it as the reader does, in the order of the page."""
    return copy_demo(tmp_path_factory.mktemp("readme") / "data")


def test_commands(workspace: Path) -> None:
    """All commands, page by page, in one workspace and from top to bottom, because later ones rest on earlier ones."""
    bin_folder = workspace.parent / "bin"
    bin_folder.mkdir()
    (bin_folder / "bsync").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bsync_assets.cli "$@"\n')
    (bin_folder / "bsync").chmod(0o755)
    path = f"{bin_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"BSYNC_HOME": str(workspace), "PATH": path}
    failed = []
    for where, command in COMMANDS:
        if command.startswith("make "):
            continue
        line = command.replace(".venv/bin/", "")
        done = subprocess.run(
            line, shell=True, env=environment, cwd=workspace.parent, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            failed.append(f"{where}: {command}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    assert not failed, "\n\n".join(failed)


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_make_targets() -> None:
    """Every target that a page names exists, as does every target that `make help` shows, ten at most."""
    named = {command.split()[1] for _, command in COMMANDS if command.startswith("make ")}
    helped = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    shown = re.findall(r"^  make (\w+)", helped, re.MULTILINE)
    assert named <= set(shown)
    assert len(shown) <= 10
    for target in shown:
        subprocess.run(["make", "--dry-run", target], cwd=REPOSITORY, capture_output=True, check=True)


@pytest.mark.parametrize("name", make_docs.FILES)
def test_generated_file_is_current(name: str) -> None:
    assert (REPOSITORY / "docs" / name).read_text(encoding="utf-8") == make_docs.FILES[name](), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files and pictures of the repository; addresses are left alone."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    missing = [t for pair in targets for t in pair if t and "://" not in t and not (page.parent / t).exists()]
    assert missing == []
