"""`bsync validate`: the verdict on a file, by the code of the run, with nothing stored."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from workspaces import write_workspace

from bsync_assets import validate as validation
from bsync_assets.catalog import Catalog
from bsync_assets.explain.machine import answer_batch
from bsync_assets.transport import store
from bsync_assets.validate import JudgedLine, Verdict, validate
from bsync_assets.workspace import open_catalog

UUID = "1" + "0" * 36 + "1"
GAID = "3f0c9d1e-77ab-4c55-9e21-0a1b2c3d4e5f"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "acme", "id": 1}, {"name": "zephyr", "id": 2}],
    "data_sources": [
        {"id": 1001, "owner": "acme"},
        {"id": 1002, "owner": "acme", "type": "cross_device"},
        {"id": 1005, "owner": "acme", "type": "cross_device", "label": "hashed_email"},
        {"id": 1006, "owner": "zephyr"},
    ],
    "traits": [
        {"id": 24, "data_source": 1001},
        {"id": 30, "data_source": 1001, "rule": 'product == "tablet" AND NOT color == "red"'},
        {"id": 71, "data_source": 1006},
    ],
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    write_workspace(tmp_path / "ws", CATALOG, date(2026, 1, 5))
    return open_catalog(tmp_path / "ws")


def _file(tmp_path: Path, name: str, content: bytes | str) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _judge(path: Path, catalog: Catalog | None, partner: str | None = None) -> tuple[Verdict, list[JudgedLine]]:
    lines: list[JudgedLine] = []
    verdict = validate(path, catalog, partner, lines.extend, every_line=True)
    return verdict, lines


def _figures(verdict: Verdict) -> dict[str, int]:
    return {name: figure for name, figure in verdict.counters.items() if figure}


def test_inb_07_customer_ids_that_get_that_far_are_unmatched(tmp_path: Path, catalog: Catalog) -> None:
    path = _file(tmp_path, "ftp_dpm_1001_1700000001.sync", "A\td_sid=24,x=y\n\nB d_sid=24\nC\tproduct=tablet\nD\t71,d_sid=71\n")

    verdict, lines = _judge(path, catalog)

    assert _figures(verdict) == {
        "records_received": 4, "records_processed": 4, "format_errors": 1, "no_matching_aam_id": 3, "total_signals": 5,
        "total_unused_signals": 3, "traits_failed_validation": 1, "records_with_failed_traits": 1,
    }  # fmt: skip
    assert [(line.line_no, line.reason) for line in lines] == [
        (1, "no_matching_aam_id"), (2, None), (3, "no_tab"), (4, "no_matching_aam_id"), (5, "no_matching_aam_id"),
    ]  # fmt: skip
    assert (lines[2].rule, lines[2].sample) == ("INB-50", "B d_***24")
    assert not (tmp_path / "ws" / "lake").exists()


def test_inb_92_device_ids_realize_the_traits_of_the_target(tmp_path: Path, catalog: Catalog) -> None:
    content = f"{GAID}\tproduct=tablet\n{GAID}\tproduct=tablet,color=red\n{GAID.upper()}\td_sid=24\n{GAID}\td_sid=24\n"
    verdict, _ = _judge(_file(tmp_path, "ftp_dpm_20914_1001_1700000001.overwrite", content), catalog)

    assert _figures(verdict) == {
        "records_received": 4, "records_processed": 4, "invalid_device_id": 1, "no_trait_realized": 1, "stored_records": 2,
        "total_devices": 1, "total_signals": 5, "total_realized_traits": 2,
    }  # fmt: skip


def test_without_a_catalog_the_format_is_judged(tmp_path: Path) -> None:
    verdict, lines = _judge(_file(tmp_path, "ftp_dpm_20914_99_1700000001.sync", f"{GAID}\td_sid=24\nx\td_sid=24\n"), None)

    assert verdict.refused is None
    assert _figures(verdict) == {
        "records_received": 2, "records_processed": 2, "invalid_device_id": 1, "no_matching_aam_id": 1,
        "total_signals": 2, "total_unused_signals": 2,
    }  # fmt: skip
    assert json.loads(lines[0].outcome) == {"user_id": GAID, "items": [["add", 24]]}


def test_sync_rows_are_stored_or_chained(tmp_path: Path, catalog: Catalog) -> None:
    direct, _ = _judge(_file(tmp_path, "adobe_id_0_1001_1700000001.sync", f"{UUID}\tA\n{UUID}\tB \n7\tC\n"), catalog)
    chained, _ = _judge(_file(tmp_path, "adobe_id_1001_1002_1700000001.sync", "A\tp\nB\n"), catalog)
    emails, lines = _judge(
        _file(tmp_path, "c2c_id_1002_1005_1700000001.sync", f"A\t{HASH}\t{HASH}\nB\t{HASH.upper()}\n"), catalog
    )

    received = {"records_received": 3, "records_processed": 3}
    assert _figures(direct) == received | {"stored_records": 1, "format_errors": 1, "invalid_aam_id": 1}
    assert _figures(chained) == {"records_received": 2, "records_processed": 2, "no_matching_aam_id": 1, "format_errors": 1}
    assert _figures(emails) == {"records_received": 2, "records_processed": 2, "stored_records": 1, "format_errors": 1}
    assert (lines[1].reason, lines[1].rule) == ("bad_hash", "IDS-23")


@pytest.mark.parametrize("compressed", [False, True])
def test_every_vector_line_in_one_file_gets_the_answer_it_gets_alone(tmp_path: Path, catalog: Catalog, compressed: bool) -> None:
    texts = Path(__file__).with_name("vectors").joinpath("lines.jsonl").read_text(encoding="utf-8").splitlines()
    plain = {"format": "standard", "mode": "sync", "id_key": "customer"}
    asked = [v for v in map(json.loads, texts) if v["input"]["context"] == plain and isinstance(v["input"].get("line", ""), str)]
    raw = [bytes.fromhex(v["input"]["line_hex"]) if "line_hex" in v["input"] else v["input"]["line"].encode() for v in asked]
    content = b"\n" + b"\n".join(raw) + b"\n"
    name = "ftp_dpm_1001_1700000001.sync" + (".gz" if compressed else "")

    _, lines = _judge(_file(tmp_path, name, gzip.compress(content) if compressed else content), catalog)

    assert len(lines) == 1 + len(asked)
    questions = (json.dumps({"kind": "line", "input": vector["input"]}).encode() for vector in asked)
    assert [json.loads(line.outcome) for line in lines[1:]] == [
        json.loads(answer)["result"] for answer in answer_batch(questions)
    ]


def test_a_file_read_in_many_slices_gets_the_verdict_of_one(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [f"user{n % 10}\td_sid=24,k={n}\n" for n in range(4000)] + ["\n \n", "bad\n"] * 50 + ["late\ta==b\n"] * 3 + ["\n"] * 5
    path = _file(tmp_path, "ftp_dpm_1001_1700000001.sync.gz", gzip.compress("".join(parts).encode()))
    whole, whole_lines = _judge(path, catalog)
    monkeypatch.setattr(validation, "SLICE_BYTES", 5_000)
    monkeypatch.setattr(store, "CHUNK_BYTES", 3_000)
    shares: list[float] = []
    lines: list[JudgedLine] = []

    cut = validate(path, catalog, None, lines.extend, shares.append, every_line=True)

    assert cut == whole
    assert lines == whole_lines
    assert whole.counters["lines_over_user_limit"] == 4000 - 10 * 200
    assert len(shares) > 5 and shares == sorted(shares) and shares[-1] < 1
    assert [line.line_no for line in lines] == list(range(1, len(lines) + 1))


def test_inb_36_lines_over_the_limit_are_counted_over_slices(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "SLICE_BYTES", 1_000)
    monkeypatch.setattr(store, "CHUNK_BYTES", 500)

    verdict, lines = _judge(_file(tmp_path, "ftp_dpm_1001_1700000001.sync", "A\td_sid=24\nB\td_sid=24\n" * 203), catalog)

    assert verdict.counters["lines_over_user_limit"] == 6
    assert [json.loads(line.outcome) for line in lines[400:]] == [{"excluded": "over_user_limit"}] * 6


def test_only_lines_that_break_a_rule_are_told_unless_all_are_wanted(tmp_path: Path, catalog: Catalog) -> None:
    path = _file(tmp_path, "ftp_dpm_1001_1700000001.sync", "A\td_sid=24\nB\n\nC\tx=y\njane@example.com\ta=b\n")
    lines: list[JudgedLine] = []

    validate(path, catalog, None, lines.extend)

    assert [(line.line_no, line.reason) for line in lines] == [(2, "no_tab"), (5, "pii")]
    assert "example" not in str(lines)


REFUSED: dict[str, tuple[str, bytes, str | None]] = {
    "bad_timestamp": ("ftp_dpm_1001_170000000.sync", b"A\tx=y\n", None),
    "unknown_prefix": ("data.csv", b"A\tx=y\n", None),
    "bad_date_folder": ("acme/date=2026-02-30/ftp_dpm_1001_1700000001.sync", b"A\tx=y\n", None),
    "unknown_dpid": ("ftp_dpm_4711_1700000001.sync", b"A\tx=y\n", None),
    "source_not_authorized": ("zephyr/date=2026-01-05/ftp_dpm_1001_1700000001.sync", b"A\tx=y\n", None),
    "target_not_authorized": ("ftp_dpm_1001_1006_1700000001.sync", b"A\tx=y\n", "acme"),
    "empty_file": ("ftp_dpm_1001_1700000001.sync", b"\n \n", None),
    "compression_mismatch": ("ftp_dpm_1001_1700000001.sync.gz", b"A\tx=y\n", None),
    "bad_gzip": ("ftp_dpm_1001_1700000001.sync.gz", gzip.compress(b"A\tx=y\n" * 99)[:-3], None),
    "bad_encoding": ("ftp_dpm_1001_1700000001.sync", "A\tx=y\n".encode("utf-16"), None),
    "bad_pgp": ("ftp_dpm_1001_1700000001.sync.pgp", b"not encrypted at all", None),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_file_is_refused_with_the_code_of_the_run(tmp_path: Path, catalog: Catalog, code: str) -> None:
    name, content, partner = REFUSED[code]

    verdict, lines = _judge(_file(tmp_path, name, content), catalog, partner)

    assert verdict.breaks_a_rule
    assert code in (verdict.refused, verdict.name.get("reject"))
    # who is not known, or not allowed, still learns what is wrong with the lines
    assert bool(lines) == (code in ("unknown_dpid", "source_not_authorized", "target_not_authorized"))


MISTAKES: dict[str, tuple[str, str]] = {
    "smart_quotes": ("ftp_dpm_1001_1700000001.sync", "A\t“product”=“tablet”"),
    "double_equals": ("ftp_dpm_1001_1700000001.sync", "A\tproduct==tablet"),
    "swapped_columns": ("ftp_dpm_1001_1700000001.sync", "product=tablet,d_sid=24\tA"),
    "space_for_tab": ("ftp_dpm_1001_1700000001.sync", "A d_sid=24"),
    "semicolons": ("ftp_dpm_1001_1700000001.sync", "A\tproduct=tablet;color=red"),
    "upper_case_hash": ("ftp_dpm_1005_1700000001.sync", f"{HASH.upper()}\tx=y"),
    "device_id_case": ("ftp_dpm_20914_1001_1700000001.sync", f"{GAID.upper()}\tx=y"),
    "lost_zeros": ("ftp_dpm_0_1001_1700000001.sync", "1.0E+37\tx=y"),
    "swapped_ids": ("adobe_id_0_1001_1700000001.sync", f"A\t{UUID}"),
    "no_tab_columns": ("adobe_id_0_1001_1700000001.sync", f"{UUID};A"),
    "milliseconds": ("ftp_dpm_1001_1700000001123.sync", ""),
    "nine_digits": ("ftp_dpm_1001_170000000.sync.gz", ""),
    "calendar_time": ("ftp_dpm_1001_20260105.sync", ""),
    "upper_case_name": ("FTP_DPM_1001_1700000001.sync", ""),
    "foreign_ending": ("ftp_dpm_1001_1700000001.csv", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_is_recognized(tmp_path: Path, catalog: Catalog, mistake: str) -> None:
    name, line = MISTAKES[mistake]
    good = {"adobe": f"{UUID}\tA", "ftp_d": "A\tx=y"}.get(name[:5], "")
    verdict, _ = _judge(_file(tmp_path, name, f"{good}\n{line}\n{line}\n"), catalog)

    (hint,) = verdict.hints
    assert (hint.code, hint.lines, hint.first_line) == (mistake, 2 if line else 0, 2 if line else None)
    assert hint.rule and hint.advice


def test_a_sound_file_gets_no_hint(tmp_path: Path, catalog: Catalog) -> None:
    content = 'A\t"a = b"="c;d",n=1;2,k="x==", ic=52\nsession=4\tref=http://x/?a=b\n'.replace("==", "=")
    verdict, _ = _judge(_file(tmp_path, "ftp_dpm_1001_1700000001.sync", content), catalog)

    assert verdict.hints == [] and not verdict.breaks_a_rule


def _bsync(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bsync_assets.cli", "validate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"BSYNC_HOME": str(home)})


def test_the_command_prints_one_object_per_file(tmp_path: Path, catalog: Catalog) -> None:
    sound = _file(tmp_path, "ftp_dpm_1001_1700000001.sync", "A\td_sid=24\n")
    unsound = _file(tmp_path, "ftp_dpm_1001_1700000002.sync", "A\td_sid=24\n\nB\n")
    misnamed = _file(tmp_path, "data.csv", "A\td_sid=24\n")

    done = _bsync(sound, unsound, misnamed, "--json", home=catalog.home)

    assert (done.returncode, done.stderr) == (1, "")
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert first["file"] == str(sound)
    assert first["name"]["dpid"] == 1001 and first["counters"]["records_received"] == 1
    outcomes = [(line["line"], line["outcome"]) for line in second["lines"]]
    assert outcomes == [
        (1, {"user_id": "A", "items": [["add", 24]]}),
        (2, {"skip": "blank"}),
        (3, {"reject": "format_error", "reason": "no_tab"}),
    ]
    assert (third["name"], third["lines"], third["counters"]) == ({"reject": "unknown_prefix"}, [], {})


def test_the_command_tells_people_line_reason_rule_and_sample(tmp_path: Path, catalog: Catalog) -> None:
    sound = _file(tmp_path, "ftp_dpm_1001_1700000001.sync", "A\td_sid=24\n")
    unsound = _file(tmp_path, "ftp_dpm_1001_1700000002.sync", 'A\td_sid=24\nvisitor-17\tcolor="red\n')

    good, bad = _bsync(sound, home=catalog.home), _bsync(unsound, home=tmp_path / "nowhere")

    assert (good.returncode, bad.returncode) == (0, 1)
    words = Counter(bad.stdout.split())
    assert words["unbalanced_quote"] == 1 and words["(INB-55)"] == 1
    assert "line 2" in bad.stdout and "visi***17<TAB>color=***" in bad.stdout
