"""The report of the day as the run of the demo wrote it: its figures are those of the views, and a browser shows it anywhere."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import dagster as dg
from browser import browser_page, needs_chromium
from demo import DAYS, connect

from bsync_assets.assets.reports import report_file, write_report
from bsync_assets.workspace import open_catalog

MONDAY, TUESDAY, WEDNESDAY = DAYS


def test_each_day_of_a_range_has_its_report_and_dagster_leads_there(demo: Path) -> None:
    assert all(report_file(demo, day).stat().st_size < 100_000 for day in DAYS)
    reports = sorted(path.name for path in (demo / "lake/reports").iterdir())
    assert reports == [f"{day}.html" for day in DAYS]
    with dg.DagsterInstance.from_config(str(demo / "dagster")) as instance:
        for asset in (dg.AssetKey("day_report"), dg.AssetKey(["acme", "receipts"])):
            events = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset, asset_partitions=[str(TUESDAY)]), limit=1
            ).records
            metadata = events[0].asset_materialization.metadata  # type: ignore[union-attr]
            assert metadata["report"].value == str(report_file(demo, TUESDAY))


@needs_chromium
def test_figures_are_those_of_the_views_and_a_phone_shows_them(demo: Path, tmp_path: Path) -> None:
    page_file = report_file(demo, TUESDAY)
    with connect(demo) as views:

        def one(query: str) -> int:
            row = views.execute(query, {"day": TUESDAY}).fetchone()
            assert row is not None
            return int(row[0])

        tiles = {
            "files taken in": one("SELECT count(*) FROM inbound_files WHERE day = $day AND status = 'accepted'"),
            "files refused": one("SELECT count(*) FROM inbound_files WHERE day = $day AND status = 'refused'"),
            "partners missing": 0,
            "records received": one("SELECT sum(records_received) FROM data_figures WHERE day = $day"),
            "receipts issued": one(
                "SELECT count(*) FROM (SELECT as_of FROM receipts UNION ALL SELECT as_of FROM id_sync_receipts)"
                " WHERE as_of = $day"
            ),
            "messages not sent": 0,
            "deliveries made": 0,
            "visitors opted out": 0,
        }
        lines = views.execute("""
            SELECT reason, count(*) FROM rejected_lines WHERE day = $day AND sample IS NOT NULL GROUP BY ALL
        """, {"day": TUESDAY}).fetchall()  # fmt: skip
        members = views.execute(
            "SELECT segment_id, count(*) FROM segment_members_by_day WHERE day = $day GROUP BY ALL", {"day": TUESDAY}
        ).fetchall()
    with browser_page(width=375, height=700) as page:
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_file.as_uri())
        shown = [text.split(maxsplit=1) for text in page.locator(".tile").all_inner_texts()]
        figures = {words: figure.replace(",", "") for figure, words in shown}
        refused = page.locator("#refused").inner_text()
        populations = page.locator("#segments").inner_text()
        for width in (375, 768, 1400):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") == width
    assert {words: str(figure) for words, figure in tiles.items()}.items() <= figures.items()
    assert lines
    for reason, count in lines:
        assert re.search(rf"^{reason}\t.*\t{count:,}\t\d+$", refused, re.MULTILINE), reason
    assert members
    for segment, count in members:
        assert re.search(rf"^{segment} .*\t.*\t{count:,}\t", populations, re.MULTILINE), segment
    assert asked == [page_file.as_uri()]
    assert said == []


def test_the_report_of_an_unchanged_day_is_the_same_to_the_byte(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    shutil.copy(demo / "lake/bsync.duckdb", tmp_path / "lake")
    for name in ("bsync.yaml", "catalog"):
        (tmp_path / name).symlink_to(demo / name)
    for day in DAYS:
        write_report(open_catalog(tmp_path), day)
        assert report_file(tmp_path, day).read_bytes() == report_file(demo, day).read_bytes()
    assert list((tmp_path / "lake/reports").glob(".*")) == []


def test_what_to_do_next(demo: Path) -> None:
    def advice(day: date) -> str:
        text = report_file(demo, day).read_text()
        return text[text.index("What to do next") : text.index("The last four weeks")]

    assert "ftp_dpm_1010_" in advice(TUESDAY)
    assert "no such data source in the catalog; ask operations to declare it" in advice(TUESDAY)
    assert f"globex sent nothing; its last files are of {TUESDAY}." in advice(WEDNESDAY)
