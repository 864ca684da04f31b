"""The whole story in a real headless Chromium: real cookies, real redirects, a real run."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import browser_page, needs_chromium
from sync_service import kept, service
from sync_workspace import serve_workspace

pytestmark = needs_chromium


@pytest.mark.timeout(280)
def test_demo_page(tmp_path: Path) -> None:
    home = serve_workspace(tmp_path / "ws")
    with service(home, "--demo-page") as (address, _), browser_page(width=420) as page:
        page.goto(f"{address}/demo")
        page.wait_for_selector("#match.done", timeout=60_000)
        uuid = page.inner_text("#uuid")
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies(address)}
        assert cookies["demdex"]["value"] == uuid and cookies["demdex"]["httpOnly"] and cookies["demdex"]["secure"]
        assert [part.split("-")[0] for part in cookies["dextp"]["value"].split("|")] == ["7", "8"]

        page.click("#run")
        page.wait_for_selector("#lake.done", timeout=200_000)
        rows = [row.split("\t") for row in page.inner_text("#links tbody").splitlines()]
        assert sorted((row[0], row[3]) for row in rows) == [("4101", "http"), ("4112", "http")]
        assert page.inner_text("#failed") == "" and page.inner_text("#partner").startswith("visitor-")
        page.screenshot(path=str(tmp_path / "demo.png"), full_page=True)

        page.reload()  # a second visit: the same ID, and no call to anybody
        page.wait_for_selector("#match.done", timeout=60_000)
        assert page.inner_text("#uuid") == uuid and "Nothing to call" in page.inner_text("#calls")

        page.goto(f"{address}/demoptout")
        page.goto(f"{address}/demo")
        page.wait_for_function("document.getElementById('failed').textContent.includes('171')", timeout=60_000)

    records = kept(home)
    assert [(r["call"], r["outcome"]) for r in records].count(("ibs", "taken")) == 2
    assert {r["device"] for r in records if r["outcome"] == "taken"} == {uuid}
