"""What bsync does when things break: each trouble many times, what was promised, what was seen. Writes docs/reliability.md.

Run it with `make chaos`, on a machine and a checkout that are left alone: children import the code as it is then. Disk full needs
the right to mount. Rows of troubles that are not tried this time stay as they are in the page, with their date.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import duckdb  # noqa: E402
import yaml  # noqa: E402
from aiosmtpd.smtp import SMTP, Envelope, Session  # noqa: E402
from demo import DAYS, copy_demo, differences, message_ids, tables  # noqa: E402
from mail.smtp import Inbox, serving  # noqa: E402
from transport.servers import PASSWORD, S3_KEYS, s3_server, sftp_server  # noqa: E402
from workspaces import write_inbound, write_workspace  # noqa: E402

from bsync_assets.assets.inbound_files import kept_files, take_stock  # noqa: E402
from bsync_assets.assets.receipt_mail import send_due  # noqa: E402
from bsync_assets.runs import run_days  # noqa: E402
from bsync_assets.transport.pgp import PgpKey, make_key, public_part  # noqa: E402
from bsync_assets.upkeep import maintain  # noqa: E402
from bsync_assets.warehouse.lake import LakeBusy, attach  # noqa: E402
from bsync_assets.workspace import open_catalog  # noqa: E402

FIRST, LAST = DAYS[0], DAYS[1]
PAGE = REPOSITORY / "docs" / "reliability.md"
EXACT = "the next run comes to the result of an undisturbed one, mails nothing twice"

processes = multiprocessing.get_context("forkserver")


def run(home: Path, result: str | None = None) -> None:
    """The child: run the days; the name of an expected error goes to the file `result`."""
    try:
        run_days(home, FIRST, LAST)
    except (LakeBusy, OSError, duckdb.Error) as error:
        if result:
            Path(result).write_text(type(error).__name__)
        raise SystemExit(3) from None
    except Exception as error:  # Dagster wraps what a step raised
        if result:
            Path(result).write_text(type(error.__cause__ or error).__name__)
        raise SystemExit(3) from None


def run_and_die_after(home: Path, steps: int) -> None:
    """The child: run the days, and kill itself when so many steps are done."""

    class Count(logging.Handler):
        done = 0

        def emit(self, record: logging.LogRecord) -> None:
            Count.done += 1
            if Count.done == steps:
                os.kill(os.getpid(), signal.SIGKILL)

    logging.getLogger("bsync.progress").addHandler(Count())
    logging.getLogger("bsync.progress").setLevel(logging.INFO)
    run_days(home, FIRST, LAST)


def finish(home: Path) -> None:
    process = processes.Process(target=run, args=(home,))
    process.start()
    process.join()
    assert process.exitcode == 0, f"a run that nothing disturbed failed in {home}"


class Reference:
    """The demo's first two days, undisturbed."""

    def __init__(self, folder: Path) -> None:
        self.home = copy_demo(folder / "reference")
        start = time.monotonic()
        finish(self.home)
        self.seconds = time.monotonic() - start

    def equals(self, home: Path) -> bool:
        return differences(tables(self.home), tables(home)) == {} and message_ids(self.home) == message_ids(home)


def kill_at_random(reference: Reference, folder: Path, times: int) -> tuple[int, str, str]:
    moments, killed, equal, homes = random.Random(9), 0, 0, 0
    while killed < times:
        home = copy_demo(folder / f"home{homes}")
        for _ in range(15):
            process = processes.Process(target=run, args=(home,))
            process.start()
            process.join(moments.uniform(0, reference.seconds))
            process.kill()
            process.join()
            killed += process.exitcode == -signal.SIGKILL
        finish(home)
        homes += 1
        equal += reference.equals(home)
        shutil.rmtree(home)
    return killed, EXACT, f"{equal} of {homes} workspaces equal, 15 kills each"


def kill_at_boundaries(reference: Reference, folder: Path, times: int) -> tuple[int, str, str]:
    killed, equal = 0, 0
    while times == 0 or killed < times:
        home = copy_demo(folder / f"step{killed}")
        process = processes.Process(target=run_and_die_after, args=(home, killed + 1))
        process.start()
        process.join()
        if process.exitcode == 0:
            break  # there are no more steps
        killed += 1
        finish(home)
        equal += reference.equals(home)
        shutil.rmtree(home)
    return killed, EXACT, f"after each of {killed} steps: {equal} equal"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def disk_full(reference: Reference, folder: Path, times: int) -> tuple[int, str, str]:
    def used(path: Path) -> int:
        return sum(-(-file.stat().st_size // 4096) * 4096 for file in path.rglob("*") if file.is_file())

    empty = used(copy_demo(folder / "empty"))
    grown = used(reference.home) - empty
    failed, equal, errors = 0, 0, set()
    for number in range(times):
        with small_disk(folder / f"disk{number}", empty + (1 << 20) + grown * number // times) as disk:
            home = copy_demo(disk / "home")
            process = processes.Process(target=run, args=(home, str(folder / "error")))
            process.start()
            process.join()
            if process.exitcode:
                failed += 1
                errors.add((folder / "error").read_text() if (folder / "error").exists() else f"exit {process.exitcode}")
            subprocess.run(["mount", "-o", "remount,size=2g", str(disk)], check=True)
            finish(home)
            equal += reference.equals(home)
    return (
        times,
        "the run fails and says so; " + EXACT,
        f"{failed} runs failed ({', '.join(sorted(errors))}); {equal} equal afterwards",
    )


def two_at_once(reference: Reference, folder: Path, times: int) -> tuple[int, str, str]:
    equal, refused = 0, 0
    for number in range(times):
        home = copy_demo(folder / f"twice{number}")
        both = [processes.Process(target=run, args=(home,)) for _ in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join()
        refused += sum(process.exitcode != 0 for process in both)
        assert any(process.exitcode == 0 for process in both)
        equal += reference.equals(home)
        shutil.rmtree(home)
    return (
        times,
        "one waits or is refused, the result is that of one run",
        f"{equal} equal; {refused} of {2 * times} were refused",
    )


# --- Places


def _workspace(home: Path, inbox: str) -> duckdb.DuckDBPyConnection:
    partners, sources = [{"name": "acme", "id": 7}], [{"id": 1001, "owner": "acme"}]
    write_workspace(home, {"partners": partners, "data_sources": sources}, date(2026, 1, 1))
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"inbox": inbox}))
    con = duckdb.connect()
    attach(con, home)
    return con


def _content(number: int) -> bytes:
    return b"user%d\t1\n" % number * 200_000


def _taken(con: duckdb.DuckDBPyConnection, home: Path, count: int, day: date, until: float) -> tuple[int, int]:
    """(how often the inbox was asked until all files were in, how many copies are right)"""
    asked = 0
    while time.monotonic() < until:
        asked += 1
        counts = take_stock(con, open_catalog(home), day, ["acme"])["acme"]
        if counts["accepted"] == count and not counts["waiting"]:
            break
    rows = con.execute("SELECT key, sha256, status FROM lake.main.inbound_files").fetchall()
    right = {sha256(_content(number)).hexdigest() for number in range(count)}
    kept = {digest for _, digest, status in rows if status == "accepted" and (kept_files(home) / digest).exists()}
    return asked, len(right & kept) if len(rows) == count else -1


def sftp_flapping(folder: Path, times: int) -> tuple[int, str, str]:
    os.environ["TEST_SFTP_PASSWORD"] = PASSWORD
    root, day, cuts, done = folder / "sftp", datetime.now(UTC).date(), 0, threading.Event()
    (root / "acme").mkdir(parents=True)
    for number in range(times):
        (root / "acme" / f"ftp_dpm_1001_17676144{number:02d}.sync").write_bytes(_content(number))
    with sftp_server(root, folder / "keys") as server:
        con = _workspace(folder / "sftp-home", server.url())

        def cut() -> None:
            nonlocal cuts
            pauses = random.Random(3)
            while not done.wait(pauses.uniform(0.3, 1.5)):
                cuts += bool(server.connections)
                server.hang_up()

        cutter = threading.Thread(target=cut)
        cutter.start()
        asked, right = _taken(con, folder / "sftp-home", times, day, time.monotonic() + 300)
        done.set()
        cutter.join()
        con.close()
    return (
        cuts,
        "every file comes in once, whole",
        f"connection cut {cuts} times: {right} of {times} files right, after {asked} rounds",
    )


def s3_flapping(folder: Path, times: int) -> tuple[int, str, str]:
    os.environ.update(S3_KEYS)
    day = date(2026, 1, 5)
    with s3_server() as first:
        port = int(first.endpoint.rpartition(":")[2])
    asked, down, home = 0, 0, folder / "s3-home"
    con = _workspace(home, f"s3://drops/in?endpoint=http://127.0.0.1:{port}")
    rows: list[tuple[str, ...]] = []
    for number in range(times):
        asked += 1
        down += take_stock(con, open_catalog(home), day, ["acme"])["acme"]["unreachable"]  # nobody listens
        with s3_server(port) as server:
            key = f"in/acme/date={day}/ftp_dpm_1001_17676144{number:02d}.sync"
            server.client.put_object(Bucket="drops", Key=key, Body=_content(number))
            take_stock(con, open_catalog(home), day, ["acme"])
    rows = con.execute("SELECT sha256 FROM lake.main.inbound_files WHERE status = 'accepted'").fetchall()
    con.close()
    right = {sha256(_content(number)).hexdigest() for number in range(times)} == {digest for (digest,) in rows}
    return times, "every file comes in once, whole", f"{down} of {asked} looks found nobody; all files right: {right}"


def clock_off(folder: Path, times: int) -> tuple[int, str, str]:
    os.environ["TEST_SFTP_PASSWORD"] = PASSWORD
    root, now = folder / "clock", datetime.now(UTC)
    (root / "acme").mkdir(parents=True)
    for number, days in enumerate((-2, 2)):
        path = root / "acme" / f"ftp_dpm_1001_176761440{number}.sync"
        path.write_bytes(_content(number))
        moment = (now + timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    with sftp_server(root, folder / "clock-keys") as server:
        con = _workspace(folder / "clock-home", server.url())
        late_window = [now.date() + timedelta(days=offset) for offset in (-7, -6, -5, -4, -3, -2, -1, 0, 1)]
        for day in late_window:
            take_stock(con, open_catalog(folder / "clock-home"), day, ["acme"])
        days = con.execute("SELECT (day - current_date)::INTEGER FROM lake.main.inbound_files ORDER BY 1").fetchall()
        con.close()
    seen = ", ".join(str(offset) for (offset,) in days)
    return 2, "a server's clock two days off loses no file", f"{len(days)} of 2 files taken in, on days {seen} from today"


class FlappingInbox(Inbox):
    """Takes a message one time in three; else it is busy, or hangs up before it took it."""

    moods = random.Random(4)
    refusals = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mood = self.moods.choice(("takes", "busy", "hangs up"))
        if mood == "takes":
            return await super().handle_DATA(server, session, envelope)
        self.refusals += 1
        if mood == "hangs up":
            assert server.transport is not None
            server.transport.close()
        return "451 busy"


def mail_flapping(folder: Path, times: int) -> tuple[int, str, str]:
    """At first nobody listens, then a server answers that is rarely in the mood."""
    home = copy_demo(folder / "mail-home")
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    inbox, asked, waiting = FlappingInbox(), 0, 1
    with serving(inbox) as reached:
        mail = settings["mail"] | {"transport": "smtp", "host": reached.host}
        (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"mail": mail | {"port": 1}}))
        finish(home)
        assert not inbox.taken
        (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"mail": mail | {"port": reached.port}}))
        with duckdb.connect() as con:
            attach(con, home)
            while waiting and asked < times:
                asked += 1
                waiting = send_due(con, open_catalog(home))["waiting"]
            due = con.execute("SELECT count(DISTINCT message_id) FROM lake.main.mail_outbox WHERE channel = 'mail'").fetchall()
    ids = [message_from_bytes(content)["Message-ID"] for _, _, content in inbox.taken]
    seen = f"{due[0][0]} messages, {len(set(ids))} arrived, {len(ids) - len(set(ids))} of them twice, after {asked} rounds"
    return inbox.refusals, "every message arrives, none twice; the run goes on without the server", seen


# --- Growth and memory


def many_days(folder: Path, days: int, partners: int) -> tuple[int, str, str]:
    home, start = folder / "growth", date(2026, 1, 1)
    names = [f"partner{n}" for n in range(partners)]
    sources = [{"id": 1000 + n, "owner": name, "type": "cross_device"} for n, name in enumerate(names)]
    traits = [{"id": 10 + n, "data_source": 1000 + n} for n in range(partners)]
    write_workspace(
        home,
        {"partners": [{"name": name, "id": n + 1} for n, name in enumerate(names)], "data_sources": sources, "traits": traits},
        start,
    )
    seconds, memory, files = [], [], []
    for offset in range(days):
        day = start + timedelta(days=offset)
        stamp = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
        for n, name in enumerate(names):
            lines = b"".join(b"user%d\td_sid=%d\n" % (u, 10 + n) for u in range(200))
            moment = datetime.fromtimestamp(stamp, UTC)
            write_inbound(home, name, day, f"ftp_dpm_{1000 + n}_{stamp}.sync", lines, moment)
        begun = time.monotonic()
        assert run_days(home, day, day)
        seconds.append(time.monotonic() - begun)
        if offset % 7 == 6:
            maintain(open_catalog(home))
        memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20)
        files.append(sum(1 for _ in (home / "lake").rglob("*.parquet")))
    span = min(10, days // 2)

    def ends(values: list[float]) -> str:
        return f"{sum(values[1 : span + 1]) / span:.1f} → {sum(values[-span:]) / span:.1f}"

    seen = (
        f"first and last {span} days: {ends(seconds)} s a day, {ends([float(m) for m in memory])} MB, "
        f"{ends([float(f) for f in files])} Parquet files in all"
    )
    return days, "time, memory and files per day do not grow beyond the data", f"{partners} partners; {seen}"


_DECRYPT = """
import sys
from pathlib import Path
from bsync_assets.transport.pgp import PgpKey
from bsync_assets.transport.store import unpacked
print(sum(len(chunk) for chunk in unpacked(Path(sys.argv[1]), None, PgpKey(Path(sys.argv[2]).read_text()))))
"""


def memory_of_large_pgp(folder: Path, gigabytes: int) -> tuple[int, str, str]:
    from benchmarks.measure import measure

    key, sender, chunk = (
        make_key("Chaos", "bsync@example.com", None, "never"),
        Path(tempfile.mkdtemp(dir="/tmp")),
        b"user\t1\n" * 150_000,
    )
    (folder / "key.asc").write_text(key)
    gpg = ["gpg", "--homedir", str(sender), "--batch", "--quiet", "--trust-model", "always"]
    subprocess.run([*gpg, "--import"], input=public_part(PgpKey(key)).encode(), check=True, capture_output=True)
    peaks = []
    for chunks in (100, gigabytes * 10**9 // len(chunk)):
        encrypt = [
            *gpg,
            "--yes",
            "--compress-algo",
            "none",
            "--recipient",
            "bsync@example.com",
            "--output",
            str(folder / "large.pgp"),
        ]
        with subprocess.Popen([*encrypt, "--encrypt"], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for _ in range(chunks):
                process.stdin.write(chunk)
        done = measure(
            [sys.executable, "-c", _DECRYPT, str(folder / "large.pgp"), str(folder / "key.asc")], {"PYTHONPATH": str(REPOSITORY)}
        )
        assert int(done.output) == chunks * len(chunk)
        peaks.append(done.peak_mb)
    subprocess.run(["gpgconf", "--homedir", str(sender), "--kill", "all"], check=False)
    shutil.rmtree(sender, ignore_errors=True)
    return 1, "memory is flat", f"peak {peaks[1]:.0f} MB for {gigabytes} GB, {peaks[0]:.0f} MB for 0.1 GB"


def memory_of_a_large_day(folder: Path, records: int) -> tuple[int, str, str]:
    from benchmarks.workspace import delivery, run_day

    given = delivery(folder, records)
    run_day(given, given.link_day)
    measured = run_day(given, given.day)
    seen = f"peak {measured.peak_mb:.0f} MB resident in {measured.seconds:.0f} s"
    return 1, f"{records:,} records with DuckDB held to 2 GB", seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("kills", 300), ("steps", 0), ("disk", 20), ("twice", 20), ("files", 40), ("days", 90), ("partners", 20)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--only", nargs="+", default=None, help="names of the troubles, as in the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bsync-chaos-") as temporary:
        folder = Path(temporary)
        held: list[Reference] = []

        def reference() -> Reference:
            if not held:
                held.append(Reference(folder))
            return held[0]

        troubles: dict[str, Callable[[], tuple[int, str, str]]] = {
            "kill -9 at a random moment": lambda: kill_at_random(reference(), folder, given.kills),
            "kill -9 at every step boundary": lambda: kill_at_boundaries(reference(), folder, given.steps),
            "disk full": lambda: disk_full(reference(), folder, given.disk),
            "two runs of the same days at once": lambda: two_at_once(reference(), folder, given.twice),
            "SFTP flapping": lambda: sftp_flapping(folder, given.files),
            "S3 down and up": lambda: s3_flapping(folder, given.files // 4),
            "mail down and flapping": lambda: mail_flapping(folder, 500),
            "clock of a server two days off": lambda: clock_off(folder, 2),
            "many days": lambda: many_days(folder, given.days, given.partners),
            "a large PGP file": lambda: memory_of_large_pgp(folder, 3),
            "a large day": lambda: memory_of_a_large_day(folder, given.records),
        }
        for name, trouble in troubles.items():
            if given.only is None or name in given.only:
                started = time.monotonic()
                times, promised, seen = trouble()
                _write(name, times, promised, seen)
                print(f"{name}: {times} times; {seen} ({time.monotonic() - started:.0f} s)", flush=True)


def _write(name: str, times: int, promised: str, seen: str) -> None:
    """Put the row of this trouble into the page; the data of all rows are kept in a comment at its end."""
    marker = "<!-- rows: "
    rows: dict[str, list[str]] = {}
    if PAGE.exists() and marker in (text := PAGE.read_text(encoding="utf-8")):
        rows = json.loads(text.partition(marker)[2].rpartition(" -->")[0])
    busy = os.getloadavg()[0]
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M}, load {busy:.0f}"
    rows[name] = [str(times), promised, seen, when]
    table = "\n".join(f"| {what} | {' | '.join(row)} |" for what, row in rows.items())
    PAGE.write_text(
        f"""# What happens when things break

*Written by `make chaos` (`tests/chaos/chaos.py`), which tries each trouble so many times, on the demo's first two days unless
said otherwise. Machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},
DuckDB {duckdb.__version__}. A load above
the number of cores means that others worked on it at the time: take times from such rows with care.*

| trouble | times | promised | seen | when (UTC) |
| --- | --- | --- | --- | --- |
{table}

Mail that is refused or interrupted in other ways is in `tests/mail/test_deliver.py`, readers during runs in
`tests/test_must_hold_readers.py`.

{marker}{json.dumps(rows)} -->
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
