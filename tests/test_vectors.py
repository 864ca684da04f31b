"""Vectors of single rules, asked of `bsync explain --batch` as a user asks: one process per file."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# What `bsync explain` answers. Vectors of other kinds are told by the tests of their rooms.
ANSWERED = {
    "filename",
    "line",
    "url",
    "trait_rule",
    "key_name",
    "segment",
    "parse_name",
    "default_name",
    "name_template",
    "header_template",
    "content_template",
}

FOLDER = Path(__file__).parent / "vectors"
FILES = sorted(path for path in FOLDER.glob("*.jsonl") if not path.name.startswith("scenarios_"))


def _unfold(value: Any) -> Any:
    """Replace every {"repeat": [prefix, text, count]} by the long text it stands for."""
    if isinstance(value, dict):
        if set(value) == {"repeat"}:
            prefix, text, count = value["repeat"]
            return prefix + text * count
        return {key: _unfold(item) for key, item in value.items()}
    return [_unfold(item) for item in value] if isinstance(value, list) else value


def _without_nulls(value: Any) -> Any:
    """Drop keys whose value is null: a result may leave them out."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@cache
def _vectors(path: Path) -> dict[str, dict[str, Any]]:
    vectors = [_unfold(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return {vector["id"]: vector for vector in vectors if vector["kind"] in ANSWERED}


@cache
def _explained(path: Path) -> subprocess.CompletedProcess[bytes]:
    """The one process that answers the vectors of a file; kept when it failed, too."""
    asked = _vectors(path).values()
    return subprocess.run(
        [sys.executable, "-m", "bsync_assets.cli", "explain", "--batch"],
        input="".join(json.dumps({"kind": v["kind"], "input": v["input"]}) + "\n" for v in asked).encode(),
        capture_output=True,
        check=False,
    )


def _answer(path: Path, vector_id: str) -> Any:
    process = _explained(path)
    assert process.returncode == 0, process.stderr.decode()
    asked = list(_vectors(path))
    answers = process.stdout.splitlines()
    assert len(answers) == len(asked)
    return json.loads(answers[asked.index(vector_id)])


@pytest.mark.parametrize(("path", "vector_id"), [pytest.param(path, name, id=name) for path in FILES for name in _vectors(path)])
def test_vector(path: Path, vector_id: str) -> None:
    vector = _vectors(path)[vector_id]
    answer = _answer(path, vector_id)
    expected = _without_nulls(vector["result"])
    result = _without_nulls(answer.get("result", answer))
    if vector["kind"] == "url":  # the vector says only what its rule is about
        result = {key: result.get(key) for key in expected}
    assert result == expected


def test_every_file_of_vectors_is_told_by_a_test() -> None:
    told = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__)
    )
    untold = {path.stem for path in FOLDER.glob("*.jsonl") if not path.stem.startswith("scenarios_") and path.stem not in told}
    assert {stem for stem in untold if not _vectors(FOLDER / f"{stem}.jsonl")} == set()
