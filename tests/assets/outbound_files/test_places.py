"""Deliveries to a folder, a bucket and an SFTP server: the same files everywhere, the control file last (OUT-100 to OUT-104)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bsync_assets.assets import outbound_files
from bsync_assets.transport.places import Place, PlaceError, fetch, open_place

from .conftest import START


class _Watched:
    """A place that writes down what is put, and refuses one file as often as told."""

    def __init__(self, place: Place, log: list[str], refuse: list[PlaceError]) -> None:
        self._place, self._log, self._refuse = place, log, refuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def put(self, source: Path, name: str) -> None:
        if self._refuse and len(self._log) == 1:
            raise self._refuse.pop()
        self._place.put(source, name)
        self._log.append(name)


@pytest.mark.parametrize("passing", [True, False], ids=["hiccup", "outage"])
def test_out_102_out_103_parts_then_control_file(
    stage: Any, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passing: bool
) -> None:
    log: list[str] = []
    refuse = [PlaceError("the line broke", passing=passing)]
    monkeypatch.setattr(outbound_files, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(outbound_files, "open_place", lambda to, home: _Watched(open_place(to, home), log, refuse))
    w = stage(to=address, split_bytes=2000, method="s3" if address.startswith("s3") else "ftp")
    w.members(START, [(10, n) for n in range(100)])
    outcome = w.deliver(START)
    if not passing:
        assert (outcome["status"], outcome["why"], len(log)) == ("failed", "the line broke", 1)
        outcome = w.deliver(START + timedelta(days=1))
        assert [d["attempts"] for d in outcome["deliveries"]] == [2, 1]
    assert outcome["status"] == "delivered"
    first = [name for name in log if name.startswith(log[0].removesuffix("001.sync"))]
    assert len(first) == len(set(first)) == 4  # each sent once
    assert first[-1].endswith(".info") and first[:-1] == sorted(first[:-1])
    place = open_place(address, tmp_path)
    found = {file.name: file for file in place.files()}
    assert set(found) == set(log)  # no draft is left
    fetch(place, found[first[-1]], tmp_path / "control")
    for number, file in enumerate(json.loads((tmp_path / "control").read_text())["Files"]):
        fetch(place, found[file["FileName"]], tmp_path / f"part{number}")
        assert (tmp_path / f"part{number}").stat().st_size == file["FileByteSize"]
    place.close()
