"""A day materialized by the button of Dagster's UI is the day that `bsync run` makes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser import browser_page, needs_chromium
from demo import DAYS, copy_demo, differences, message_ids, tables
from playwright.sync_api import Page, expect

from bsync_assets.runs import run_days

MONDAY = DAYS[0]


@contextmanager
def bsync_ui(home: Path, log: Path) -> Iterator[str]:
    """`bsync ui` on a free port, ready to answer; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bsync_assets.cli", "ui", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"BSYNC_HOME": str(home)}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while True:
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(120)  # its processes end one after the other, slowly where others work too
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def materialize_all(page: Page, address: str, day: str) -> None:
    """Press the buttons that a person presses, from the job's page to the launch."""
    page.goto(f"{address}/locations/bsync_assets/jobs/daily")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    partitions = dialog.get_by_placeholder("ex: ")
    partitions.fill(day)
    partitions.press("Enter")
    dialog.get_by_role("button", name="Launch 1 run").click()
    expect(dialog).to_be_hidden()


@needs_chromium
def test_a_day_by_the_button(tmp_path: Path) -> None:
    home = copy_demo(tmp_path / "by button")
    with bsync_ui(home, tmp_path / "ui.log") as address, browser_page() as page:
        page.set_default_timeout(60_000)
        materialize_all(page, address, str(MONDAY))
        page.goto(f"{address}/locations/bsync_assets/jobs/daily/runs")
        success, failure = (page.get_by_role("img", name=f"run_{outcome}") for outcome in ("success", "failure"))
        expect(success.or_(failure).first).to_be_visible(timeout=200_000)  # the page shows it twice: the latest run, and the list
        page.screenshot(path=tmp_path / "runs.png")
        expect(success.first).to_be_visible()

    by_command = copy_demo(tmp_path / "by command")
    assert run_days(by_command, MONDAY, MONDAY)
    assert differences(tables(by_command), tables(home)) == {}
    assert message_ids(home) == message_ids(by_command)
