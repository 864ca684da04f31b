"""The running service: HTTP as browsers and attackers speak it, durability, several workers."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import duckdb
import httpx
import pytest
from sync_service import exchange, kept, service
from sync_workspace import U, serve_workspace

from bsync_assets.assets.id_sync_events import take_events
from bsync_assets.warehouse.lake import attach
from bsync_assets.workspace import open_catalog


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serve_workspace(tmp_path_factory.mktemp("serve") / "ws")


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with service(home) as (address, _):
        yield address


def taken_into_lake(home: Path) -> list[str]:
    """Declared IDs that a run of today finds, one per call."""
    with closing(duckdb.connect()) as con:
        attach(con, home)
        for _ in range(2):
            take_events(con, open_catalog(home), datetime.now(UTC).date())
        return [row[0] for row in con.execute("SELECT id FROM lake.main.event_ids ORDER BY id").fetchall()]


# --- HTTP


def test_IDS_94_cookie(address: str) -> None:
    cookie = httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c1").headers["set-cookie"]
    assert re.fullmatch(r"demdex=\d{38}; Max-Age=15552000; Path=/; Secure; HttpOnly; SameSite=None", cookie)


def test_IDS_86_bodies(address: str) -> None:
    headers = {"cookie": f"a=b; demdex={U[1]}; c=d"}
    gif = httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c2", headers=headers)
    assert (gif.headers["content-type"], gif.content[:6]) == ("image/gif", b"GIF89a")
    assert "no-store" in gif.headers["cache-control"]
    assert httpx.get(f"{address}/event?page=x", headers=headers).content == b""  # INB-174
    shown = httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c2&d_rtbd=json", headers=headers).json()
    assert shown["uuid"] == U[1] and set(shown) == {"uuid", "dcs_region", "tid", "stuff"}
    moved = httpx.get(
        f"{address}/ibs:dpid=4101&dpuuid=c2&redir=https%3A%2F%2Fv.example%2F%3Fu%3D%24%7BDD_UUID%7D", headers=headers
    )
    assert (moved.status_code, moved.headers["location"]) == (302, f"https://v.example/?u={U[1]}")


def test_IDS_97_errors(address: str) -> None:
    answer = httpx.get(f"{address}/event?d_cid=20915%01nope&d_cid=4101%01ok&d_rtbd=json")
    assert answer.headers["x-error"] == "312" and [e["code"] for e in answer.json()["errors"]] == [312]
    refused = httpx.get(f"{address}/event?d_rtbd=json&x=%zz")
    assert (refused.status_code, refused.headers["x-error"], refused.json()["errors"][0]["code"]) == (200, "311", 311)
    assert "set-cookie" not in refused.headers and "uuid" not in refused.json()


def test_INB_174_callback(address: str) -> None:
    answer = httpx.get(f"{address}/event?d_rtbd=json&d_cb=a.b")
    assert answer.text.startswith("/**/a.b({") and answer.headers["content-type"] == "application/javascript"
    for evil in ("alert(1)//", "<script>", "a;b", "a" * 300 + "."):
        answer = httpx.get(f"{address}/event", params={"d_rtbd": "json", "d_cb": evil})
        assert answer.headers["content-type"] == "application/json" and answer.json()["uuid"]


def test_IDS_121_opted_out_browser(address: str, home: Path) -> None:
    answer = httpx.get(f"{address}/demoptout", headers={"cookie": f"demdex={U[8]}"})
    assert [e["code"] for e in answer.json()["errors"]] == [171]
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.split(";")[0] for cookie in cookies] == ["demdex=NOTARGET", "dextp=NOTARGET"]
    again = httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c3", headers={"cookie": f"demdex={U[8]}"})
    assert (again.status_code, again.headers["x-error"]) == (200, "171") and "set-cookie" not in again.headers
    assert not [r for r in kept(home) if [4101, "c3", None] in r.get("ids", [])]


def test_IDS_66_what_was_answered_is_known(address: str) -> None:
    first = httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c4&d_rtbd=json").json()["uuid"]
    assert httpx.get(f"{address}/ibs:dpid=4101&dpuuid=c4&d_rtbd=json").json()["uuid"] == first


def test_IDS_89_post(address: str, home: Path) -> None:
    answer = httpx.post(f"{address}/event?a=1", data={"page": "posted", "d_cid": "4101\x01c5"})
    assert answer.status_code == 200
    assert [r["signals"] for r in kept(home) if [4101, "c5", None] in r.get("ids", [])] == [[["a", "1"], ["page", "posted"]]]
    assert httpx.post(f"{address}/event", content=b"x=" + b"y" * 40_000, headers=FORM).status_code == 413
    assert httpx.post(f"{address}/event", content=b"{}", headers={"content-type": "application/json"}).status_code == 415


FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_scripts_of_pages_may_read_the_answer(address: str) -> None:
    answer = httpx.get(f"{address}/id?d_rtbd=json", headers={"origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    for evil in ("null", "https://a, b", "https://a b", "javascript:x"):
        raw = f"GET /id HTTP/1.1\r\nHost: x\r\nOrigin: {evil}\r\nConnection: close\r\n\r\n".encode()
        assert b"access-control" not in exchange(address, raw)


def test_metrics_and_logs_without_ids(address: str, home: Path) -> None:
    httpx.get(f"{address}/event?page=shop&d_cid=4101%01secretid&x=sentinelvalue&p_income=77777")
    text = httpx.get(f"{address}/metrics").text
    assert re.search(r'^bsync_calls_total\{call="event",outcome="taken"\} \d', text, re.M)
    assert re.search(r'^bsync_call_seconds_bucket\{call="event",le="0.05"\} \d', text, re.M)
    log = (home / "serve.log").read_text()
    assert all(json.loads(line)["event"] for line in log.splitlines())
    for secret in ("secretid", "sentinelvalue", "77777", *re.findall(r"\d{38}", log)):
        assert secret not in text + log


def test_TRT_006_private_values_are_nowhere(address: str, home: Path) -> None:
    httpx.get(f"{address}/event?p_income=77777.5&d_cid=4101%01c6")
    assert [bool(r["satisfied"]) for r in kept(home) if [4101, "c6", None] in r.get("ids", [])] == [True]
    for path in (home / "lake").rglob("*"):
        if path.is_file():
            assert b"77777" not in path.read_bytes() and b"p_income" not in path.read_bytes(), path


# --- Hostile input: answered with its code, nothing kept but the count

SQL = ["' OR 1=1 --", "'; DROP TABLE link; --", '" UNION SELECT 1', "1); DELETE FROM x; --", "$1", "?", "\\'", "${jndi:ldap://x}"]
PARAMETERS = ["dpid", "dpuuid", "d_cid", "d_cid_ic", "redir", "gdpr", "gdpr_consent", "d_uuid", "d_mid", "d_rtbd", "d_cb", "k"]


@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("path", ["/ibs:", "/event?", "/id?", "/demoptout?"])
def test_sql_is_text(address: str, home: Path, path: str, parameter: str) -> None:
    before = len(kept(home))
    for text in SQL:
        answer = httpx.get(f"{address}{path}{parameter}={quote(text, safe='')}", headers={"cookie": f"demdex={quote(text)}"})
        assert answer.status_code == 200
    records = kept(home)[before:]
    assert len(records) == len(SQL)
    assert httpx.get(f"{address}/healthz").status_code == 200
    assert not any(r.get("ids") for r in records)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /event?x=" + "a" * 60_000, 414), ("GET /event?x=" + "a" * 100_000, 400),
        ("GET /ibs:" + "&" * 9000, 414), ("GET /nothing", 404), ("GET /", 404),
        ("GET //evil.example/%2f..", 404), ("HEAD /event", 405),
        ("PUT /event", 405), ("DELETE /ibs:", 405), ("OPTIONS /event", 405),
        ("GET /event?" + "a=1&" * 2000, 200), ("GET /event?%", 200), ("GET /event?%ff", 200), ("GET /event?a=%00", 200),
        ("GET /ibs:dpid=4101&dpuuid=0", 200), ("GET /ibs:dpid=4101&dpuuid=null", 200),
        ("GET /ibs:dpid=20914&dpuuid=00000000-0000-0000-0000-000000000000", 200),
        ("GET /ibs:dpid=0&dpuuid=" + "0" * 38, 200), ("GET /ibs:dpid=4101&dpuuid=a%0d%0aSet-Cookie:%20x=y", 200),
        ("GET /event?mail=jo%40example.com", 200),
    ],
)  # fmt: skip
def test_hostile_requests(address: str, home: Path, request_line: str, status: int) -> None:
    before = len(kept(home))
    answer = exchange(address, f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b"x=y" not in answer.lower()
    added = kept(home)[before:]
    assert len(added) == (1 if status == 200 else 0)
    if "a=1&a" not in request_line and "%00" not in request_line:
        assert all(set(r) <= {"at", "call", "outcome", "errors"} for r in added), "nothing but the count"


@pytest.mark.parametrize(
    "headers",
    [
        "Cookie: demdex=" + "1" * 4096, "Cookie: " + "a=b; " * 1500, "Cookie: demdex", "Cookie: =;;demdex==;",
        "Cookie: demdex=\x01",
        "Cookie: demdex=1\r\nCookie: demdex=2", "Cookie: dextp=" + "7-1|" * 1000, "X: " + "y" * 6000, "Referer: \xff\xfe",
        "Cookie: demdex=%0d%0aSet-Cookie: evil=1",
    ],
)  # fmt: skip
def test_hostile_headers(address: str, headers: str) -> None:
    raw = f"GET /ibs:dpid=4101&dpuuid=h1 HTTP/1.1\r\nHost: x\r\n{headers}\r\nConnection: close\r\n\r\n".encode("latin-1")
    answer = exchange(address, raw)
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert b"evil" not in answer
    assert httpx.get(f"{address}/healthz").status_code == 200


def test_IDS_110_no_host(address: str) -> None:
    assert b"x-error: 100" in exchange(address, b"GET /event HTTP/1.0\r\n\r\n").lower()


def test_the_longest_call_is_kept_in_a_line_that_can_be_read(address: str, home: Path) -> None:
    body = "".join(f'k{n}="{n}"","&' for n in range(3000))[:32_000]
    assert (
        httpx.post(f"{address}/event?{'a=%22%5C,%22&' * 500}&d_cid=4101%01long", content=body.encode(), headers=FORM).status_code
        == 200
    )
    assert max(len(json.dumps(r, ensure_ascii=False)) for r in kept(home)) < 100_000
    assert "long" in taken_into_lake(home)


# --- Durability


def call_until_stopped(address: str, name: str, answered: list[str], stop: threading.Event) -> None:
    with httpx.Client(timeout=30) as client:
        for number in range(1_000_000):
            if stop.is_set():
                return
            try:
                answer = client.get(f"{address}/ibs:dpid=4101&dpuuid={name}-{number}")
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                answered.append(f"{name}-{number}")


def test_kill_9(tmp_path: Path) -> None:
    home = serve_workspace(tmp_path / "ws")
    answered: list[str] = []
    for round_ in range(4):
        stop = threading.Event()
        with service(home) as (address, process):
            callers = [
                threading.Thread(target=call_until_stopped, args=(address, f"r{round_}t{n}", answered, stop)) for n in range(6)
            ]
            for caller in callers:
                caller.start()
            time.sleep(0.3 + random.random())
            process.send_signal(signal.SIGKILL)
            process.wait()
            stop.set()
            for caller in callers:
                caller.join()
    found = taken_into_lake(home)
    assert len(answered) > 20 and set(answered) <= set(found)
    assert len(found) == len(set(found)), "each once"
    assert len(found) - len(answered) <= 4 * 6, "besides, at most what was under way"


def test_several_workers_know_what_each_other_answered(tmp_path: Path) -> None:
    home = serve_workspace(tmp_path / "ws")
    with service(home, "--workers", "3") as (address, _):

        def uuid(name: str) -> str:
            answer: str = httpx.get(f"{address}/ibs:dpid=4101&dpuuid={name}&d_rtbd=json").json()["uuid"]
            return answer

        with ThreadPoolExecutor(12) as pool:
            first = {name: pool.submit(uuid, name) for name in (f"n{n}" for n in range(60))}
            again = {name: pool.submit(uuid, name).result() for name, done in first.items() if done.result()}
            assert {name: done.result() for name, done in first.items()} == again
        httpx.get(f"{address}/demoptout?d_cid=4101%01n1")
        assert all(httpx.get(f"{address}/ibs:dpid=4101&dpuuid=n1").headers["x-error"] == "171" for _ in range(20))
        text = httpx.get(f"{address}/metrics").text
        assert re.search(r'^bsync_calls_total\{call="ibs",outcome="taken"\} 120\.0', text, re.M)
    assert len(list((home / "lake" / "events").glob("date=*/*.jsonl"))) > 1
    assert sorted(taken_into_lake(home)) == sorted([f"n{n}" for n in range(60) if n != 1] * 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    home = serve_workspace(tmp_path / "ws")
    events = home / "lake" / "events"
    events.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(events)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield home
    finally:
        subprocess.run(["umount", "-l", str(events)], check=True)


def test_disk_full(small_disk: Path) -> None:
    ballast = small_disk / "lake" / "events" / "ballast"
    answered = []
    with service(small_disk) as (address, _), httpx.Client() as client:

        def ask(name: str) -> int:
            status = client.get(f"{address}/ibs:dpid=4101&dpuuid={name}").status_code
            if status == 200:
                answered.append(name)
            return status

        assert ask("before") == 200
        with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(os.urandom(4096))
        statuses = [ask(f"full{n}-" + "x" * 2000) for n in range(60)]
        assert 503 in statuses and set(statuses) <= {200, 503}
        ballast.unlink()
        assert ask("after") == 200
    found = taken_into_lake(small_disk)
    assert sorted(found) == sorted(answered), "all that was answered, and nothing else"


def test_one_port_for_one_service(home: Path, address: str, tmp_path: Path) -> None:
    port = address.rsplit(":", 1)[1]
    environment = os.environ | {"BSYNC_HOME": str(home)}
    command = [sys.executable, "-m", "bsync_assets.cli", "serve", "--port", port]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert second.returncode == 1 and "in use" in second.stderr
