"""The `bsync` command as people use it, and above all as they misuse it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from workspaces import write_inbound, write_workspace

from bsync_assets import cli, connect
from bsync_assets.warehouse.lake import single_writer


class Done(NamedTuple):
    code: int
    out: str
    err: str


Bsync = Callable[..., Done]


@pytest.fixture
def bsync(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bsync:
    """Runs `bsync` with these arguments; `home` is its workspace."""

    def run(*arguments: str | Path, home: Path) -> Done:
        monkeypatch.setenv("BSYNC_HOME", str(home))
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setattr(sys, "argv", ["bsync", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    catalog: dict[str, list[dict[str, Any]]] = {
        "partners": [{"name": "acme", "id": 1}],
        "data_sources": [{"id": 1001, "owner": "acme"}],
        "traits": [{"id": 24, "name": "Camper", "data_source": 1001}],
    }
    write_workspace(tmp_path / "ws", catalog, date(2026, 1, 5))
    return tmp_path / "ws"


def _commands() -> list[str]:
    """Every command and subcommand, as on the command line."""
    found = []

    def walk(app: Any, before: str) -> None:
        for command in app.registered_commands:
            name = command.name or command.callback.__name__.strip("_").replace("_", "-")
            found.append(f"{before}{name}")
        for group in app.registered_groups:
            found.append(f"{before}{group.name}")
            walk(group.typer_instance, f"{before}{group.name} ")

    walk(cli.app, "")
    return found


@pytest.mark.parametrize("command", _commands())
def test_every_command_has_help_that_teaches(bsync: Bsync, tmp_path: Path, command: str) -> None:
    done = bsync(*command.split(), "--help", home=tmp_path)

    assert (done.code, done.err) == (0, "")
    assert f"Usage: bsync {command}" in done.out
    sentence = next(line for line in done.out.splitlines()[2:] if line.strip())
    assert len(sentence.split()) >= 4, sentence


def test_the_commands_of_the_contract_are_there() -> None:
    contract = {"run", "demo", "ui", "validate", "serve", "sql", "explain", "import", "export", "status"}
    kinds = {f"explain {kind}" for kind in ("name", "line", "url", "rule", "segment", "template")}
    assert contract | kinds <= set(_commands())


# --- Forty mistakes: (arguments, exit code, what the sentence says)

MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "unknown command": (["runn"], 2, "No such command 'runn'. Did you mean 'run'? See bsync --help"),
    "unknown option": (["run", "--dya", "2026-01-05"], 2, "No such option: --dya"),
    "unknown option of a group": (["explain", "--bath"], 2, "No such option: --bath"),
    "unknown subcommand": (["explain", "nmae", "x"], 2, "No such command 'nmae'"),
    "too many arguments": (["sql", "SELECT 1", "SELECT 2"], 2, "unexpected extra argument"),
    "run without a day": (["run"], 2, "Missing option '--day'; see bsync run --help"),
    "a day without value": (["run", "--day"], 2, "--day"),
    "no such day": (["run", "--day", "2026-02-30"], 2, "expected a day like 2026-01-05, got '2026-02-30'"),
    "a day in words": (["run", "--day", "yesterday"], 2, "expected a day like 2026-01-05, got 'yesterday'"),
    "a range backwards": (["run", "--day", "2026-01-06", "--to", "2026-01-05"], 2, "--to 2026-01-05 lies before --day"),
    "a day before the first": (["run", "--day", "2026-01-04"], 2, "the first day of this workspace is 2026-01-05"),
    "run for nobody": (["run", "--day", "2026-01-05", "--partner", "acne"], 2, "there is no partner 'acne'"),
    "a port that is none": (["ui", "--port", "99999"], 2, "'--port': Input should be less than or equal to 65535"),
    "a port in words": (["ui", "--port", "http"], 2, "'--port': Input should be a valid integer"),
    "validate nothing": (["validate"], 2, "Missing argument 'files'"),
    "validate no file": (["validate", "{home}/nowhere.sync"], 2, "does not exist"),
    "validate a folder": (["validate", "{home}"], 2, "is a directory"),
    "validate for nobody": (["validate", "{home}/bsync.yaml", "--partner", "acne"], 2, "there is no partner 'acne'; only acme"),
    "sql without a query": (["sql"], 2, "Missing argument 'query'"),
    "sql before the first run": (["sql", "SELECT 1"], 1, "nothing is published yet"),
    "export without a file": (["export"], 2, "Missing argument 'file'"),
    "export before the first run": (["export", "{home}/x.duckdb"], 1, "run a day first: bsync run --day DAY"),
    "import nothing": (["import"], 2, "Missing argument 'file'"),
    "import no file": (["import", "{home}/nowhere.jsonl"], 2, "does not exist"),
    "import a folder": (["import", "{home}"], 2, "is a directory"),
    "import no JSON": (["import", "{home}/odd.jsonl"], 1, "nothing was imported: line 1: not JSON"),
    "explain no line": (["explain", "line"], 2, "Missing argument 'line'"),
    "explain two lines": (["explain", "line", "a\tb\nc\td"], 2, "more than one line"),
    "explain a line of a file that is none": (["explain", "line", "a\tb", "--file", "x.csv"], 2, "unknown_prefix"),
    "explain a signal that is none": (["explain", "rule", "a == 1", "a"], 2, "expected signals like price=12, got 'a'"),
    "explain a template of nothing": (["explain", "template", "x", "--kind", "body"], 2, "body"),
}
#: What is explained may be wrong, too; that is the answer, on stdout, with exit code 1.
WRONG: dict[str, tuple[list[str], str]] = {
    "a name": (["name", "ftp_dpm_1001_170000000.sync"], "bad_timestamp (INB-19)"),
    "a line": (["line", "a b"], "no_tab (INB-50)"),
    "a row": (["line", "a\tb", "--file", "adobe_id_0_1001_1700000001.sync"], "invalid_aam_id (IDS-11)"),
    "a call": (["url", "https://sync.example/pixel.gif"], "unknown_call"),
    "a rule": (["rule", "price >"], "E_SYNTAX"),
    "an empty rule": (["rule", "NOT a == 1"], "E_MATCHES_EMPTY (TRT-053"),
    "a segment": (["segment", "24T AND 99T"], "E_UNKNOWN_TRAIT (SEG-027): at column 9"),
    "a template": (["template", "<DP_UUID"], "E_SYNTAX"),
    "a name template": (["template", "<UUID>", "--kind", "name"], "E_MACRO_CONTEXT"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_in_one_sentence(bsync: Bsync, home: Path, mistake: str) -> None:
    arguments, code, sentence = MISTAKES[mistake]
    (home / "odd.jsonl").write_text("nope\n")

    done = bsync(*(argument.replace("{home}", str(home)) for argument in arguments), home=home)

    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert done.err.startswith("bsync: ") and len(done.err.splitlines()) == 1


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_explained_with_its_rule(bsync: Bsync, home: Path, what: str) -> None:
    arguments, sentence = WRONG[what]

    done = bsync("explain", *arguments, home=home)

    assert (done.code, done.err) == (1, "")
    assert sentence in done.out


NEEDS_A_WORKSPACE = [
    ["run", "--day", "2026-01-05"], ["demo"], ["ui"], ["sql", "SELECT 1"], ["export", "x.duckdb"], ["import", __file__],
    ["status"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", NEEDS_A_WORKSPACE, ids=lambda arguments: arguments[0])
def test_without_a_workspace_commands_say_how_to_name_one(bsync: Bsync, tmp_path: Path, arguments: list[str]) -> None:
    done = bsync(*arguments, home=tmp_path / "nowhere")

    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"bsync: .* is no workspace, it has no bsync\.yaml; let BSYNC_HOME name the folder of one\n", done.err)


@pytest.mark.parametrize("arguments", [["run", "--day", "2026-01-05"], ["import", __file__], ["validate", __file__]])
def test_all_mistakes_of_the_catalog_are_told_at_once(bsync: Bsync, home: Path, arguments: list[str]) -> None:
    (home / "catalog" / "traits.yaml").write_text("- {id: x, data_source: 1001}\n- {id: 25, data_source: 9}\n")
    (home / "catalog" / "partners.yaml").write_text("- {name: Acme, id: 1}\n")

    done = bsync(*arguments, home=home)

    assert (done.code, done.out) == (2, "")
    first, *mistakes = done.err.splitlines()
    assert first == "bsync: nothing was done, for the catalog has mistakes:"
    assert {mistake.split(": ")[0] for mistake in mistakes} >= {
        "catalog/traits.yaml:1",
        "catalog/traits.yaml:2",
        "catalog/partners.yaml:1",
    }


@pytest.mark.parametrize("arguments", [["import", "state.jsonl"], ["run", "--day", "2026-01-05"]], ids=["import", "run"])
def test_a_busy_lake_is_said_in_one_sentence(
    bsync: Bsync, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (tmp_path / "state.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    with single_writer(home):
        done = bsync(*arguments, home=home)

    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"bsync: another run is writing to .*; try again when it is done\n", done.err)


# --- Explaining


def test_a_line_is_explained_as_one_of_its_file(bsync: Bsync, home: Path) -> None:
    done = bsync("explain", "line", r"u1\td_unsid=24,=x", "--file", "ftp_dpm_1001_1700000001.overwrite", home=home)

    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["u1", "24", "=x"]
    assert "INB-104" in done.out and "INB-65" in done.out


def test_a_rule_is_explained_comparison_by_comparison(bsync: Bsync, home: Path) -> None:
    done = bsync("explain", "rule", "price > 10 AND NOT sold == yes", "price=12", "price=3", home=home)

    assert done.code == 0
    truths = [re.split(r"  +", line.strip()) for line in done.out.splitlines()]
    assert truths == [
        ['price > "10"', "true", "TRT-044"],
        ['sold == "yes"', "false: no signal sold", "TRT-041"],
        ["the rule", "holds", "TRT-034"],
    ]


def test_a_segment_is_explained_with_the_names_of_traits(bsync: Bsync, home: Path) -> None:
    done = bsync("explain", "segment", "24T", home=home)

    assert done.code == 0
    assert "holds trait 24 (Camper)" in done.out


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["line", "u\ta=b"], {"user_id": "u", "items": [["kv", "a", "b"]]}),
        (["rule", "a == 1", "a=1"], True),
        (["rule", "a =="], "E_SYNTAX"),
        (["name", "x"], {"reject": "unknown_prefix"}),
        (["url", "/ibs:dpid=21&dpuuid=a"], {"call": "ibs", "ids": [[21, "a", None]], "errors": []}),
    ],
)
def test_explanations_come_as_json_too(bsync: Bsync, home: Path, arguments: list[str], result: Any) -> None:
    answer = json.loads(bsync("explain", *arguments, "--json", home=home).out)["result"]

    assert answer == result if not isinstance(result, dict) else answer.items() >= result.items()


def test_explaining_needs_no_workspace(bsync: Bsync, tmp_path: Path) -> None:
    done = bsync("explain", "segment", "1T AND NOT 2T", home=tmp_path)

    assert (done.code, done.err) == (0, "")


BATCH = [
    (b'{"kind":"filename","input":"ftp_dpm_21_17.sync"}', {"result": {"reject": "bad_timestamp"}}),
    (b'{"kind":"weather","input":1}', {"error": "unknown kind"}),
    (b"{", "not JSON"),
    (b"", "not JSON"),
    (b"\xff", "not JSON"),
    (b'{"input":1}', "expected"),
    (b'{"kind":"line"}', "no input"),
    (b'{"kind":"line","input":{"context":{"format":"standard"},"line":"a\\nb"}}', "expected one line"),
    (b'{"kind":"line","input":{"context":{"format":"standard"},"line_hex":"7"}}', "line_hex"),
    (b'{"kind":"key_name","input":7}', "should be a valid string"),
    (b'{"kind":"trait_rule","input":{"rule":"a == ","signals":[]}}', {"result": "E_SYNTAX", "column": 6}),
    (
        b'{"kind":"segment","input":{"expression":"1T","profiles":["P"],"business_day":"today","traits":{},"state":{}}}',
        "business_day",
    ),
    (b'{"kind":"key_name","input":"c_a.b"}', {"result": True}),
]


def test_the_batch_answers_every_line_in_order(bsync: Bsync, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = tmp_path / "questions"
    questions.write_bytes(b"\n".join(question for question, _ in BATCH) + b"\n")
    with questions.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        done = bsync("explain", "--batch", "--verbose", home=home)

    assert (done.code, done.err) == (0, "")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert len(answers) == len(BATCH)
    for answer, (question, expected) in zip(answers, BATCH, strict=True):
        if isinstance(expected, dict):
            assert answer == expected, question
        else:
            assert expected in answer["error"], question


# --- How the workspace stands


def test_status_shows_each_day_and_partner_and_who_sent_nothing(bsync: Bsync, demo: Path) -> None:
    found = json.loads(bsync("status", "--json", home=demo).out)

    assert found["last_day_run"] == "2026-01-07" and found["waiting"]["days"] == []
    with connect(demo) as views:
        files = views.execute("SELECT day::VARCHAR, partner, count(*) FROM inbound_files GROUP BY ALL ORDER BY ALL").fetchall()
    came = {(row["day"], row["partner"]): row["accepted"] + row["refused"] + row["duplicate"] for row in found["days"]}
    assert [(*key, count) for key, count in sorted(came.items()) if count] == files
    assert [(row["day"], row["partner"]) for row in found["days"] if row["missing"]] == [("2026-01-07", "globex")]
    assert re.search(r"^2026-01-07 +globex .* MISSING", bsync("status", home=demo).out, re.MULTILINE)


def test_status_shows_files_that_wait_for_the_first_run(bsync: Bsync, home: Path) -> None:
    write_inbound(home, "acme", date(2026, 1, 6), "ftp_dpm_1001_1700000001.sync", b"A\ta=b\n", datetime(2026, 1, 6, 8))

    done = bsync("status", home=home)

    assert (done.code, done.err) == (0, "")
    assert done.out == "no day was run yet\nwaiting for a run: files of acme, 2026-01-06\n"


# --- Querying and exporting what is published


def test_sql_prints_a_table_or_json(bsync: Bsync, demo: Path) -> None:
    query = "SELECT DATE '2026-01-05' AS day, count(*) AS n, sum(1.5) AS d, NULL AS nothing, 'x' AS n FROM range(3)"

    table, as_json = bsync("sql", query, home=demo), bsync("sql", query, "--json", home=demo)

    assert table.out.split() == ["day", "n", "d", "nothing", "n_2", "2026-01-05", "3", "4.5", "x"]
    assert json.loads(as_json.out) == [{"day": "2026-01-05", "n": 3, "d": 4.5, "nothing": None, "n_2": "x"}]
    assert bsync("sql", "SELECT 1 WHERE false", "--json", home=demo).out == "[]\n"


QUERIES = {
    "SELEC 1": "syntax error",
    "SELECT * FROM recipts": "recipts does not exist",
    "SELECT dya FROM receipts": "dya",
    "SELECT CAST('x' AS INTEGER)": "Could not convert",
    "DROP VIEW receipts": "can be read only",
    "SELECT 1; SELECT 2": "expected one SELECT",
    "": "expected one SELECT",
    "COPY receipts TO 'receipts.csv'": "can be read only",
    "ATTACH 'other.duckdb'": "can be read only",
}


@pytest.mark.parametrize("query", QUERIES)
def test_sql_says_in_one_sentence_what_is_wrong(bsync: Bsync, demo: Path, query: str) -> None:
    done = bsync("sql", query, home=demo)

    assert done.code in (1, 2) and done.out == ""
    assert QUERIES[query] in done.err
    assert done.err.startswith("bsync: ") and len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "query", ["SHOW TABLES", "DESCRIBE receipts", "SUMMARIZE receipts", "FROM receipts", "EXPLAIN FROM receipts"]
)
def test_sql_takes_what_reads(bsync: Bsync, demo: Path, query: str) -> None:
    assert bsync("sql", query, home=demo).code == 0


def test_an_export_holds_every_view_and_needs_no_other_file(bsync: Bsync, demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.duckdb"
    with connect(demo) as views:
        names = [name for (name,) in views.execute("SHOW TABLES").fetchall()]
        comments = views.execute(_COMMENTS).fetchall()
        rows = {name: sorted(map(str, views.execute(f'FROM "{name}"').fetchall())) for name in names}

    done = bsync("export", file, home=demo)
    again = bsync("export", file, home=demo)

    assert done.code == 0 and f"{len(names)} views" in done.out
    assert again.code == 2 and "exists; give the name of a new file" in again.err
    with duckdb.connect(str(file), read_only=True) as export:
        assert "read_parquet" not in str(export.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall())
        assert {name: sorted(map(str, export.execute(f'FROM "{name}"').fetchall())) for name in names} == rows
        assert export.execute(_COMMENTS).fetchall() == comments
    assert sum(map(len, rows.values())) > 1000 and len(comments) > 50


_COMMENTS = """
    SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'main' AND comment IS NOT NULL
    UNION ALL SELECT view_name, NULL, comment FROM duckdb_views() WHERE schema_name = 'main' AND comment IS NOT NULL
    ORDER BY ALL
"""
