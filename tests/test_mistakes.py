"""More that people get wrong with the `bsync` command: each is answered in one sentence that says what to do.

Mistakes in command lines that need no run stand in `test_cli.py`, those in the catalog in `catalog/mistakes.yaml`.
"""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from workspaces import write_workspace

from bsync_assets import cli

Answered = Callable[[Path, list[str]], tuple[int, str]]

CATALOG = {
    "partners": [{"name": "acme", "id": 7}],
    "data_sources": [{"id": 1001, "owner": "acme"}],
    "traits": [{"id": 24, "data_source": 1001}],
    "segments": [{"id": 900, "data_source": 1001, "rule": "24T"}],
    "destinations": [{"id": 1, "dpid": 1001, "segments": [{"id": 900}]}],
}

#: (arguments, exit code, what the sentence says). {home} is a workspace before its first run, {port} a port that is taken.
FRESH: dict[str, tuple[list[str], int, str]] = {
    "a day as people write it": (["run", "--day", "05.01.2026"], 2, "expected a day like 2026-01-05, got '05.01.2026'"),
    "a day without its option": (["run", "2026-01-05"], 2, "Missing option '--day'"),
    "a year too many": (["run", "--day", "2062-01-06"], 2, "2062-01-06 lies more than a year ahead; today is"),
    "a range by a typo": (["run", "--day", "2026-01-05", "--to", "2062-01-06"], 2, "2062-01-06 lies more than a year ahead"),
    "a partner by its ID": (
        ["run", "--day", "2026-01-05", "--partner", "7"],
        2,
        "there is no partner '7' in catalog/partners.yaml",
    ),
    "no partner at all": (["run", "--day", "2026-01-05", "--partner", ""], 2, "there is no partner ''"),
    "the demo in a workspace of one's own": (["demo"], 2, "is not the demo workspace; leave BSYNC_HOME unset"),
    "a port that is taken": (["serve", "--port", "{port}"], 1, "Address already in use; choose another with --port"),
    "a host that is none": (["serve", "--host", "no.such.host.invalid"], 1, "cannot listen on no.such.host.invalid:8080"),
    "no workers": (["serve", "--workers", "0"], 2, "greater than or equal to 1"),
    "the port of another Dagster": (["ui", "--port", "{port}"], 1, "Address already in use; choose another with --port"),
    "why before the first run": (["why", "-s", "900", "--id", "1001:a"], 1, "no day was run yet; run one: bsync run --day DAY"),
    "preview before the first run": (["preview", "segment", "24T"], 1, "no day was run yet; run one: bsync run --day DAY"),
    "outbound before the first run": (["outbound", "plan"], 1, "no day was run yet; run one: bsync run --day DAY"),
    "an unknown destination": (["outbound", "send", "-d", "99"], 2, "there is no destination 99 in catalog/destinations.yaml"),
    "a destination by its name": (["outbound", "resend", "dsp"], 2, "should be a valid integer"),
    "retract before the first run": (["retract", "x.sync"], 1, "no file was ever taken in as x.sync"),
    "release nothing": (["release"], 2, "Missing argument"),
    "rebuild before the first run": (["rebuild", "{home}/new"], 1, "no day has been run yet; run one: bsync run --day DAY"),
    "rebuild into a file": (["rebuild", "{home}/bsync.yaml"], 2, "is a file"),
    "unlinked with nobody": (["unlinked", "acne"], 2, "there is no partner 'acne' with a `sync:` entry"),
    "unlinked with one that syncs not": (["unlinked", "acme"], 2, "there is no partner 'acme' with a `sync:` entry"),
    "no key to export": (["keys", "export"], 1, "there is no private key yet; `bsync keys make` makes one"),
    "the key of nobody": (["keys", "export", "--partner", "acne"], 2, "there is no partner 'acne', only acme"),
    "a key that is valid soon": (["keys", "make", "--expires", "soon"], 2, "like 2y, 18m or never, got 'soon'"),
    "import of an unknown kind": (["import", "{home}/lnk.jsonl"], 1, "line 1: unknown kind 'lnk', expected one of link, email"),
}
#: The same for the demo after its three days.
RUN: dict[str, tuple[list[str], int, str]] = {
    "an ID without its namespace": (["why", "-s", "901", "--id", "card-1"], 2, "expected an ID like 0:0123... or 1002:ann"),
    "an ID of nobody's namespace": (["why", "-s", "901", "--id", "4711:x"], 2, "there is no 4711 in catalog/data_sources.yaml"),
    "an unknown segment": (["why", "-s", "1", "--id", "1001:x"], 2, "there is no segment 1 in catalog/segments.yaml"),
    "why on a day to come": (["why", "-s", "901", "--id", "1001:x", "--day", "2026-03-01"], 2, "the last day run is 2026-01-07"),
    "a draft with a mistake": (["preview", "rule", "dept ="], 2, "E_SYNTAX at column 7; bsync explain rule shows the place"),
    "a draft of an unknown trait": (["preview", "segment", "1T"], 2, "E_UNKNOWN_TRAIT at column 1; bsync explain segment"),
    "compared with nothing": (["preview", "segment", "10106T", "-s", "1"], 2, "there is no segment 1"),
    "no days of visits": (["preview", "rule", "a == 1", "--days", "0"], 2, "greater than or equal to 1"),
    "history of nothing": (["outbound", "history", "9", "--from", "2026-01-05", "--to", "2026-01-06"], 2, "no destination 9"),
    "history of no day": (["outbound", "history", "9", "--from", "x", "--to", "y"], 2, "expected a day like 2026-01-05, got 'x'"),
    "export over a file": (["export", "{home}/bsync.yaml"], 2, "exists; give the name of a new file"),
    "export to nowhere": (["export", "{home}/none/x.duckdb"], 2, "none is no folder that can be written to"),
    "rebuild over something": (["rebuild", "{home}"], 1, "is not empty; give the name of a new folder"),
    "rebuild from too late": (["rebuild", "{home}/new", "--from", "2027-01-01"], 1, "the last day run is 2026-01-07"),
    "a query of the shell": (["sql", "SELECT", "*"], 2, "unexpected extra argument"),
    "a query of the lake itself": (["sql", "FROM lake.main.receipts"], 2, 'Catalog "lake" does not exist'),
}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Answered:
    """Runs `bsync` in a workspace; answers its exit code and the one sentence that it says."""

    def run(home: Path, arguments: list[str]) -> tuple[int, str]:
        monkeypatch.setenv("BSYNC_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["bsync", *(argument.replace("{home}", str(home)) for argument in arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        assert said.out == "" and said.err.startswith("bsync: ") and len(said.err.splitlines()) == 1, said
        return int(ended.value.code or 0), said.err

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_workspace(tmp_path / "home", CATALOG, date(2026, 1, 5))
    (tmp_path / "home" / "lnk.jsonl").write_text('{"lnk": {}}\n')
    return tmp_path / "home"


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("mistake", FRESH)
def test_before_the_first_run(answered: Answered, home: Path, taken_port: int, mistake: str) -> None:
    arguments, code, sentence = FRESH[mistake]

    done = answered(home, [argument.replace("{port}", str(taken_port)) for argument in arguments])

    assert done[0] == code and sentence in done[1]


@pytest.mark.parametrize("mistake", RUN)
def test_after_a_run(answered: Answered, demo: Path, mistake: str) -> None:
    arguments, code, sentence = RUN[mistake]

    done = answered(demo, arguments)

    assert done[0] == code and sentence in done[1]


@pytest.mark.parametrize("folder", ["lake", "dagster"])
def test_a_file_in_the_way(answered: Answered, home: Path, folder: str) -> None:
    (home / folder).write_text("")

    code, sentence = answered(home, ["run", "--day", "2026-01-05"])

    assert code == 1 and f"{home / folder}: File exists" in sentence


@pytest.mark.parametrize(
    ("file", "arguments"), [("bsync.duckdb", ["sql", "FROM receipts"]), ("catalog.sqlite", ["run", "--day", "2026-01-07"])]
)
def test_a_damaged_lake(answered: Answered, demo: Path, tmp_path: Path, file: str, arguments: list[str]) -> None:
    shutil.copytree(demo, tmp_path / "home")
    (tmp_path / "home" / "lake" / file).write_text("nonsense")

    code, sentence = answered(tmp_path / "home", arguments)

    assert code == 1 and file in sentence
    assert "docs/operations.md says how to restore it" in sentence
