"""The files themselves: parts, compression, control file."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.assets.outbound_files import plan
from bsync_assets.assets.outbound_files.frozen import control_file, write_parts
from bsync_assets.exchange.destination_names import control_names, default_name
from bsync_assets.exchange.templates import Delivery

from .conftest import START, uuid

VECTORS = [
    json.loads(line) for line in (Path(__file__).parents[2] / "vectors" / "splits.jsonl").read_text().splitlines() if line.strip()
]


def _delivery(given: dict[str, Any], part: int | None = None) -> Delivery:
    return Delivery(
        given["method"], given["mode"], given["destination_id"], 888, given["master_dpid"], 1, given["pid_alias"],
        given["timestamp_ms"], part,
    )  # fmt: skip


@pytest.mark.parametrize("together", [1, 2, 3])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_splits_and_control_file(tmp_path: Path, vector: dict[str, Any], together: int) -> None:
    given = vector["input"]
    lines = [line + "\n" for line in given["lines"]]
    batches = (pa.array(lines[at : at + together]) for at in range(0, len(lines), together))
    parts = write_parts(batches, tmp_path, (given["header"] + "\n").encode(), given["split_bytes"], False)
    texts = [(tmp_path / part.name).read_text().splitlines() for part in parts]
    if vector["kind"] == "split":
        numbers = [n if len(parts) > 1 else None for n in range(1, len(parts) + 1)]
        assert [
            {"part": number, "bytes": part.bytes, "data_lines": text[1:]}
            for number, part, text in zip(numbers, parts, texts, strict=True)
        ] == vector["result"]
        assert all(text[0] == given["header"] for text in texts)  # OUT-052
    else:
        named = [
            part.__class__(**{**part.__dict__, "name": default_name(_delivery(given, n), False)})
            for n, part in enumerate(parts, 1)
        ]
        control, whole = control_names(default_name(_delivery(given), False))
        text = control_file(named, whole).decode()
        assert control == vector["result"]["name"]
        assert text == json.dumps(vector["result"]["content"], indent=2) + "\n"  # keys in this order (OUT-091)


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12), max_size=30),
       st.integers(1, 60), st.integers(1, 7), st.text("ab", max_size=3), st.booleans())  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_out_081_parts_are_as_full_as_they_may_be(
    tmp_path_factory: Any, lines: list[str], limit: int, together: int, header: str, packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    content = [line + "\n" for line in lines]
    batches = (pa.array(content[at : at + together], pa.string()) for at in range(0, len(content), together))
    start = (header + "\n").encode()
    parts = write_parts(batches, folder, start, limit, packed)
    texts = []
    for part in parts:
        delivered = (folder / part.name).read_bytes()
        assert (part.bytes, part.md5) == (len(delivered), hashlib.md5(delivered, usedforsecurity=False).hexdigest())
        if packed:
            assert delivered[4:8] == bytes(4) and delivered[3] == 0  # no time, no name (OUT-037)
        text = gzip.decompress(delivered) if packed else delivered
        assert (part.lines, part.records) == (text.count(b"\n"), text.count(b"\n") - 1)
        assert text.startswith(start)
        texts.append(text[len(start) :])
    assert b"".join(texts).decode() == "".join(content)
    for text, following in zip(texts, [*texts[1:], None], strict=True):
        assert len(start) + len(text) <= limit or text.count(b"\n") <= 1
        if following is not None:
            first = following[: following.index(b"\n") + 1]
            assert len(start) + len(text) + len(first) > limit  # it would not have fitted
            assert text


@pytest.mark.parametrize("packed", [False, True])
def test_out_063_the_same_state_gives_the_same_bytes(stage: Any, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for threads, together in ((1, 1_000_000), (2, 1_000_000), (2, 7), (1, 1)):
        monkeypatch.setattr(plan, "_PAIRS_TOGETHER", together)
        w = stage(name=f"w{len(made)}", split_bytes=2000, gzip=packed, header="<TIMESTAMP>", file_name="<TIMESTAMP>SPLITNUM.csv")
        w.con.execute(f"SET threads = {threads}")
        w.members(START, [(segment, number) for segment in (10, 11) for number in range(200) if (number + segment) % 3])
        w.deliver(START)
        made.append({path.name: path.read_bytes() for path in w.out().iterdir()})
    assert all(other == made[0] for other in made)
    assert len(made[0]) > 3
    control = json.loads(next(content for name, content in made[0].items() if name.endswith(".info")))
    for file in control["Files"]:
        content = made[0][file["FileName"]]
        plain = gzip.decompress(content) if packed else content
        assert file["FileByteSize"] == len(content)
        assert file["FileLineCount"] == plain.count(b"\n")
        assert file["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    rows = [
        line
        for file in control["Files"]
        for line in (gzip.decompress(made[0][file["FileName"]]) if packed else made[0][file["FileName"]]).split(b"\n")[1:-1]
    ]
    assert rows == sorted(rows)
    assert rows[0].decode().startswith(uuid(0))


def test_out_064_members_whose_mapping_is_not_live_are_no_rows(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_PAIRS_TOGETHER", 2)
    w = stage(segments=[{"id": 10, "start": START + timedelta(days=9)}])
    w.members(START, [(10, number) for number in range(9)])
    w.deliver(START)
    assert w.texts() == [""]
