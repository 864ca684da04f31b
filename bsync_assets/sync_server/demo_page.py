"""The page that plays an ID sync in a browser: a visit, two IDs, the match with a stand-in partner, and the link in the lake.

The stand-in answers for every partner that the catalog lets us call, on another host name of this machine, so that browser and
cookies behave as with a real one. For a demonstration on one's own machine, not for the open.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.calls import is_uuid
from bsync_assets.warehouse.publish import published_file

_PAGE = Path(__file__).with_name("demo_page.html")
_PARTNER_COOKIE = "partner_id"


def with_stand_ins(catalog: Catalog, address: str) -> Catalog:
    """The catalog with the stand-in at `address` (like http://localhost:8080) instead of the URLs of partners."""
    partners = {
        name: partner
        if partner.sync is None
        else partner.model_copy(
            update={"sync": partner.sync.model_copy(update={"url": f"{address}/demo/partner/{name}?u=${{DD_UUID}}"})}
        )
        for name, partner in catalog.partners.items()
    }
    return replace(catalog, partners=partners)


class DemoPage:
    """What the page asks for besides calls."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sources = {
            partner.name: next((s.id for s in catalog.data_sources.values() if s.owner == partner.name), None)
            for partner in catalog.partners.values()
        }

    def routes(self) -> list[Route]:
        """Everything below /demo."""
        return [
            Route("/demo", self._page),
            Route("/demo/partner/{name}", self._partner),
            Route("/demo/run", self._run, methods=["POST"]),
            Route("/demo/links", self._links),
        ]

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers={"cache-control": "no-store"})

    async def _partner(self, request: Request) -> Response:
        """The partner's side: it knows the visitor by a cookie of its own, and answers our call with that ID (IDS-88)."""
        source = self._sources.get(request.path_params["name"])
        if source is None:
            return Response(status_code=404)
        known = request.cookies.get(_PARTNER_COOKIE, "")
        partner_id = known if re.fullmatch(r"visitor-[0-9a-f]{8}", known) else f"visitor-{secrets.token_hex(4)}"
        ours = f"{request.url.scheme}://127.0.0.1:{request.url.port}"
        answer = RedirectResponse(f"{ours}/ibs:dpid={source}&dpuuid={partner_id}", 302, {"cache-control": "no-store"})
        answer.set_cookie(_PARTNER_COOKIE, partner_id, max_age=3600, secure=True, httponly=True, samesite="none")
        return answer

    async def _run(self, request: Request) -> Response:
        """Run today, as `bsync run` does. The header keeps other sites' pages from asking for it."""
        if request.headers.get("x-demo") != "1":
            return Response(status_code=403)
        command = [sys.executable, "-m", "bsync_assets.cli", "run", "--day", datetime.now(UTC).date().isoformat()]
        environment = os.environ | {"BSYNC_HOME": str(self._catalog.home)}
        run = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-2)
        output, _ = await run.communicate()
        return JSONResponse({"done": run.returncode == 0, "last_lines": output.decode(errors="replace").splitlines()[-8:]})

    async def _links(self, request: Request) -> Response:
        """The visitor's links in the published views."""
        uuid = request.cookies.get("demdex", "")
        return JSONResponse(await asyncio.to_thread(self._published_links, uuid) if is_uuid(uuid) else [])

    def _published_links(self, uuid: str) -> list[dict[str, str]]:
        if not published_file(self._catalog.home).exists():
            return []
        with duckdb.connect(str(published_file(self._catalog.home)), read_only=True) as con:
            rows = con.execute(
                "SELECT dpid, id, first_seen, origin FROM id_links WHERE device_dpid = 0 AND device_id = $uuid ORDER BY ALL",
                {"uuid": uuid},
            ).fetchall()
        names = {source.id: source.name for source in self._catalog.data_sources.values()}
        return [
            {
                "source": f"{dpid} {names.get(dpid, '')}".strip(),
                "id": value,
                "since": f"{since:%Y-%m-%d %H:%M:%S}",
                "origin": origin,
            }
            for dpid, value, since, origin in rows
        ]
