"""`<name>.receipt.json` next to the files of a folder, a bucket and an SFTP server: written, never taken in, ended with them."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from transport.servers import S3Server, SftpServer, free_port
from workspaces import write_inbound, write_workspace

from bsync_assets.assets.arrivals import new_arrivals
from bsync_assets.assets.inbound_files import take_stock
from bsync_assets.assets.maintenance import end_retention
from bsync_assets.assets.receipt_mail import send_due
from bsync_assets.runs import run_days
from bsync_assets.transport import sftp as sftp_place
from bsync_assets.transport.places import Place, open_place
from bsync_assets.warehouse.lake import attach, fetch_all
from bsync_assets.workspace import open_catalog

NAMES = ("acme", "bucket", "server")
REFUSED = "no_such_prefix.sync"


def good(number: int) -> str:
    return f"ftp_dpm_{1001 + number}_1700000001.sync"


def catalog(places: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    return {
        "partners": [
            {"name": name, "id": number + 1} | ({"inbox": places[name]} if name in places else {})
            for number, name in enumerate(NAMES)
        ],
        "data_sources": [{"id": 1001 + n, "owner": name, "type": "cross_device"} for n, name in enumerate(NAMES)],
        "traits": [{"id": 24 + n, "data_source": 1001 + n} for n, _ in enumerate(NAMES)],
    }


def listed(place: Place) -> set[str]:
    return {file.name for file in place.files()}


def read(place: Place, name: str) -> dict[str, Any]:
    (file,) = [file for file in place.files() if file.name == name]
    content: dict[str, Any] = json.loads(b"".join(place.read(file, 0)))
    return content


def outbox(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    rows = fetch_all(con, """
        SELECT partner, kind, status FROM lake.main.mail_outbox WHERE channel = 'file'
        QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY attempts DESC) = 1
    """)  # fmt: skip
    return {(row["partner"], row["kind"]): row["status"] for row in rows}


def test_every_kind_of_inbox(tmp_path: Path, s3: S3Server, sftp: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    today: date = datetime.now(UTC).date()
    home, midnight = tmp_path / "home", datetime(today.year, today.month, today.day, tzinfo=UTC)
    arrived = max(midnight, datetime.now(UTC) - timedelta(hours=1))
    write_workspace(home, catalog({"bucket": s3.url("receipts"), "server": sftp.url()}), start=today)
    for number, name in enumerate((good(0), REFUSED)):
        write_inbound(home, "acme", today, name, f"A{number}\td_sid=24\n".encode(), arrived)
    for name in (good(1), REFUSED):  # a partner's own bucket may leave out its name
        s3.client.put_object(Bucket="drops", Key=f"receipts/date={today}/{name}", Body=b"B\td_sid=25\n")
    for name in (good(2), REFUSED):
        (sftp.root / name).write_bytes(b"C\td_sid=26\n")
        os.utime(sftp.root / name, (arrived.timestamp(), arrived.timestamp()))
    assert run_days(home, today, today)

    places = {
        "acme": open_place("inbox/acme", home),
        "bucket": open_place(s3.url("receipts"), home),
        "server": open_place(sftp.url(), home),
    }
    day = f"date={today}/"
    folders = {"acme": day, "bucket": day, "server": ""}
    for number, (name, place) in enumerate(places.items()):
        folder = folders[name]
        copies = {found for found in listed(place) if found.endswith(".receipt.json")}
        assert copies == {f"{folder}{good(number)}.receipt.json", f"{folder}{REFUSED}.receipt.json"}, name
        answer = read(place, f"{folder}{good(number)}.receipt.json")
        assert (answer["partner"], answer["kind"], answer["counters"]["stored_records"]) == (name, "data", 1)
        assert answer["files"][0]["name"] == f"{name}/{day}{good(number)}"
        refusal = read(place, f"{folder}{REFUSED}.receipt.json")["files"][0]["refusal"]
        assert (refusal["code"], refusal["rule"]) == ("unknown_prefix", "INB-11")
    processed = {found for found in listed(places["server"]) if ".processed" in found}
    assert processed == {good(2).replace(".sync", ".processed"), REFUSED.replace(".sync", ".processed")}

    declared = open_catalog(home)
    assert new_arrivals(declared, today) is None, "no copy is taken for a file that arrived"
    with duckdb.connect() as con:
        attach(con, home)
        before = fetch_all(con, "FROM lake.main.inbound_files ORDER BY ALL")
        counts = take_stock(con, declared, today, NAMES)
        assert fetch_all(con, "FROM lake.main.inbound_files ORDER BY ALL") == before
        assert {name: count["waiting"] for name, count in counts.items()} == dict.fromkeys(NAMES, 0)

        con.execute(
            "DELETE FROM lake.main.mail_outbox WHERE channel = 'file' AND status = 'sent'"
        )  # as if they still had to go out
        monkeypatch.setattr(sftp_place, "PAUSE_SECONDS", 0.01)
        away = sftp.url().replace(f":{sftp.port}", f":{free_port()}")
        (home / "catalog/partners.yaml").write_text(
            yaml.safe_dump(catalog({"bucket": s3.url("receipts"), "server": away})["partners"])
        )
        send_due(con, open_catalog(home))
        states = {(name, kind): "due" if name == "server" else "sent" for name in NAMES for kind in ("data", "refused")}
        assert outbox(con) == states, "a place that is down keeps nobody else from its copies"
        assert send_due(con, declared) == {"sent": 2, "failed": 0, "waiting": 0}

        end_retention(con, declared, today + timedelta(days=31))
    assert {name: listed(place) for name, place in places.items()} == {name: set() for name in NAMES}
