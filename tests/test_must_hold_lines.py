"""Every line of every file is accounted for: stored, or rejected with its number and reason."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from demo import connect
from workspaces import write_inbound, write_workspace

from bsync_assets.exchange.reasons import LINE_REASONS
from bsync_assets.runs import run_days

LOSSES = ("format_errors", "invalid_aam_id", "invalid_device_id", "opted_out", "no_matching_aam_id", "no_trait_realized")
OVER_A_LIMIT = ("lines_over_length", "lines_over_user_limit")
COUNTER = {reason.code: reason.counter for reason in LINE_REASONS}

DAY = date(2026, 2, 2)
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [{"name": "initech", "id": 3}],
    "data_sources": [
        {"id": 31001, "owner": "initech", "type": "cookie"},
        {"id": 31002, "owner": "initech", "type": "cross_device"},
        {"id": 3103, "owner": "initech", "type": "cross_device"},
    ],
    "traits": [
        {"id": 1, "data_source": 3103, "rule": 'status == "on" AND paid == "yes"'},
        {"id": 2, "data_source": 3103, "rule": 'products contains "router| printer"'},
        {"id": 3, "data_source": 3103, "rule": "total >= 39.99 AND calls_before < 1"},
    ],
}
FIRST, SECOND, THIRD = ("90210000000000000000000000000000000001", "00000000000000000000000000000000000002", "7" * 38)


def rows(connection: Any, query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_files_with_the_oddities_of_real_ones(tmp_path: Path) -> None:
    """Blank last lines, CRLF, a doubled comma, quoted times, zeros and pipes, no line end after the last line."""
    home = tmp_path / "home"
    write_workspace(home, CATALOG, start=DAY)
    cookie_ids = ("Qx7_Zk-a9RRt0--pQ", "Qx7_B-4lN_T5jk_f7rdE", "Qx7_5_9")
    direct = "".join(f"{device}\t{cookie}\n" for device, cookie in zip((FIRST, SECOND, THIRD), cookie_ids, strict=True)) + "\n"
    chain = "".join(f"{cookie}\t{number}\n" for cookie, number in zip(cookie_ids, (4004, 4005, 4006), strict=True)) + "\n\n"
    customers = [
        '2002001\t"STATUS"="On","Paid"="Yes","until"="2013-01-26 00:00:00.000","score"="0.000000000000000000000",'
        '"products"="3 months  plan| router| printer"',
        '2002002\t"STATUS"="On","Paid"="No","until"="2012-08-04 00:00:00.000","total"="0.00","products"="plan,  basic| tea"',
        '2002003\t"STATUS"="Off","total"="39.99",,"calls_before"="0","products"="plan"',
    ]
    files = {
        "adobe_id_31001_31002_1769990400.sync": chain.encode(),  # before the file that it rests on
        "adobe_id_0_31001_1769990500.sync": direct.encode(),
        "ftp_dpm_3103_1769990600.overwrite": "\r\n".join(customers).encode(),
    }
    for hour, (name, content) in enumerate(files.items()):
        write_inbound(home, "initech", DAY, name, content, datetime(2026, 2, 2, hour, tzinfo=UTC))

    assert run_days(home, DAY, DAY)

    with connect(home) as connection:
        manifest = rows(connection, "SELECT parse_filename(key) AS name, * FROM inbound_files")
        assert {row["name"]: (row["status"], row["lines"]) for row in manifest} == {
            "adobe_id_31001_31002_1769990400.sync": ("accepted", 5),
            "adobe_id_0_31001_1769990500.sync": ("accepted", 4),
            "ftp_dpm_3103_1769990600.overwrite": ("accepted", 3),
        }
        for receipt in rows(connection, "SELECT * FROM id_sync_receipts"):
            assert (receipt["records_received"], receipt["stored_records"], receipt["new_mappings"]) == (3, 3, 3)
        (receipt,) = rows(connection, "SELECT * FROM receipts")
        figures = ("records_received", "stored_records", "no_trait_realized", "total_signals", "total_unused_signals")
        assert [receipt[figure] for figure in figures] == [3, 2, 1, 14, 8]
        assert rows(connection, "SELECT line_no, reason FROM rejected_lines") == [{"line_no": 2, "reason": "no_trait_realized"}]
        traits = rows(connection, "SELECT id, list(trait_id ORDER BY trait_id) AS traits FROM profile_traits GROUP BY id")
        assert {row["id"]: row["traits"] for row in traits} == {"2002001": [1, 2], "2002003": [3]}
        links = connection.execute("SELECT dpid, id, device_id FROM id_links ORDER BY ALL").fetchall()
        devices = (FIRST, SECOND, THIRD)
        assert links == sorted(
            [(31001, cookie, device) for cookie, device in zip(cookie_ids, devices, strict=True)]
            + [(31002, number, device) for number, device in zip(("4004", "4005", "4006"), devices, strict=True)]
        )


def counted(path: Path) -> tuple[int, int]:
    """(physical lines, those that are not blank), counted with nothing of ours."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = content.removesuffix(b"\n").split(b"\n")
    return len(lines), sum(line.removesuffix(b"\r").strip(b" ") != b"" for line in lines)


def test_the_demo_accounts_for_every_line(demo: Path) -> None:
    with connect(demo) as connection:
        accepted = rows(connection, "SELECT * FROM inbound_files WHERE status = 'accepted'")
        latest = "QUALIFY revision = max(revision) OVER (PARTITION BY"
        data_receipts = rows(connection, f"FROM receipts {latest} day, partner, dpid, target, batch)")
        sync_receipts = rows(connection, f"FROM id_sync_receipts {latest} file, batch)")
        rejected = rows(connection, "SELECT day, partner, file, reason, count(*) AS lines FROM rejected_lines GROUP BY ALL")
    assert {row["family"] for row in accepted} == {"data", "id_sync"}

    received: Counter[Any] = Counter()  # non-blank lines, by receipt
    receipt_of = {}
    for row in accepted:
        lines, not_blank = counted(demo / "inbox" / row["key"])
        assert row["lines"] == lines, row["key"]
        group = (row["day"], row["partner"], *((row["dpid"], row["target"]) if row["family"] == "data" else (row["key"],)))
        receipt_of[row["key"]] = group
        received[group] += not_blank
    losses: Counter[Any] = Counter()
    for row in rejected:
        losses[*receipt_of[row["file"]], COUNTER[row["reason"]]] += row["lines"]

    by_group = {(row["day"], row["partner"], row["dpid"], row["target"]): row for row in data_receipts}
    by_group |= {(row["day"], row["partner"], row["file"]): row for row in sync_receipts}
    assert by_group.keys() == received.keys()
    for group, receipt in by_group.items():
        assert receipt["records_received"] == received[group], group
        over_a_limit = sum(receipt.get(counter, 0) for counter in OVER_A_LIMIT)
        assert receipt["records_processed"] == receipt["records_received"] - over_a_limit, group
        lost = sum(receipt.get(counter, 0) for counter in LOSSES)
        assert receipt["stored_records"] == receipt["records_processed"] - lost, group
        for counter in LOSSES + OVER_A_LIMIT:
            assert losses[*group, counter] == receipt.get(counter, 0), (group, counter)
    assert {counter for counter in LOSSES + OVER_A_LIMIT if not any(losses[*group, counter] for group in by_group)} == {
        "opted_out"
    }


@pytest.mark.parametrize("view", ["receipts", "id_sync_receipts"])
def test_the_receipts_of_the_demo_balance(view: str, demo: Path) -> None:
    with connect(demo) as connection:
        balanced = connection.execute(f"SELECT count(*), count(*) FILTER (balanced) FROM {view}").fetchone()
    assert balanced is not None
    assert balanced[0] == balanced[1] > 0


def test_INB_85_samples_name_no_private_key(demo: Path) -> None:
    with connect(demo) as connection:
        samples = connection.execute("SELECT sample FROM rejected_lines WHERE sample IS NOT NULL").fetchall()
    assert any("weekday=***" in sample for (sample,) in samples)
    assert not any("p_birth_year" in sample for (sample,) in samples)
