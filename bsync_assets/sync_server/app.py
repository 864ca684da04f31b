"""The HTTP side: requests to calls, answers to responses, the pages of operations. What a call leads to is ruled in `decide`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.calls import NotACall, parse_call
from bsync_assets.sync_server.capture import BusyError, Capture, NotKeptError
from bsync_assets.sync_server.decide import HELD_COOKIE, HOLD, MESSAGES, UUID_COOKIE, UUID_COOKIE_DAYS, Answer, Visit, decide
from bsync_assets.sync_server.demo_page import DemoPage, with_stand_ins
from bsync_assets.sync_server.known import Known, forget
from bsync_assets.sync_server.metrics import Metrics
from bsync_assets.sync_server.policy import Policy
from bsync_assets.sync_server.private import PrivateSignals

MAX_GET = 8 << 10  # IDS-89
MAX_POST = 32 << 10
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_NO_CACHE = (("cache-control", "no-store, no-cache, must-revalidate, max-age=0"), ("x-content-type-options", "nosniff"))
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*){0,4}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_COOKIE = re.compile(r"(?:^|;)\s*(demdex|dextp)=([^;]*)")
_LOOK_AGAIN = 5.0  # seconds between looks for a newly published file

log = logging.getLogger("bsync.serve")


class Service:
    """One worker: the catalog it was started with, what it knows, and where it keeps calls."""

    def __init__(self, catalog: Catalog) -> None:
        self.home: Path = catalog.home
        self.policy = Policy(catalog)
        self.known = Known(catalog.home)
        self.metrics = Metrics()
        self.capture = Capture(catalog.home, PrivateSignals(catalog).judge, self.known.settle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every path that is not one of operations. No router: its patterns do not take every path that a call can have."""
        if scope["type"] == "http":
            response = await self.answer(Request(scope, receive))
            await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The response to a call, after it is on disk; 404 for what is none."""
        began = time.perf_counter()
        scope = request.scope
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        if request.method not in ("GET", "POST"):
            return self._reject(405)
        if len(target) > MAX_GET:
            return self._reject(414)
        body = b""
        if request.method == "POST":
            status, body = await _form(request)
            if status:
                return self._reject(status)
        try:
            call = parse_call(target, body, self.policy.resolve)
        except NotACall:
            return self._reject(404)
        if "host" not in request.headers:
            return _respond(Answer("no_host", {}, (100,)), call.callback, request)
        answer = decide(call, _visit(request), self.known, self.policy)
        try:
            await self.capture.keep(answer.record)
        except NotKeptError:
            return self._reject(503)
        except BusyError:
            return self._reject(429)
        self._count(call.call, answer, time.perf_counter() - began)
        return _respond(answer, call.callback, request)

    def _reject(self, status: int) -> Response:
        self.metrics.rejected.labels(str(status)).inc()
        return Response(status_code=status, headers=dict(_NO_CACHE))

    def _count(self, call: str, answer: Answer, seconds: float) -> None:
        metrics = self.metrics
        metrics.calls.labels(call, answer.outcome).inc()
        metrics.seconds.labels(call).observe(seconds)
        for code in answer.errors:
            metrics.errors.labels(str(code)).inc()
        for partner in answer.record.get("syncs", ()):
            metrics.syncs.labels(partner).inc()
        if answer.redirect is not None:
            metrics.redirects.labels(answer.redirect).inc()
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "call", extra={"call": call, "outcome": answer.outcome, "errors": answer.errors, "ms": round(seconds * 1e3, 2)}
            )

    async def healthz(self, request: Request) -> Response:
        """200 while calls can be kept."""
        alive = self.capture.is_alive()
        return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 503)

    async def show_metrics(self, request: Request) -> Response:
        """Counts and latencies, for Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def watch(self) -> None:
        """Look for newly published views, for ever. They are copied in a process of its own."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN)
            if self.known.is_stale():
                copying = [sys.executable, "-m", "bsync_assets.sync_server.known", str(self.home)]
                done = await asyncio.to_thread(subprocess.run, copying, check=False, capture_output=True, text=True)
                if done.returncode:
                    log.error("published views not copied", extra={"reason": done.stderr[-500:]})
                else:
                    self.known.refresh()
                    log.info("published views taken in")
                    await asyncio.sleep(6 * _LOOK_AGAIN)  # by then the other workers have taken them in, too
                    await asyncio.to_thread(forget, self.home)


async def _form(request: Request) -> tuple[int, bytes]:
    """(0, the body) of a POST, or (status that turns it away, nothing)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return 415, b""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_POST:
            return 413, b""
    return 0, bytes(body)


def _visit(request: Request) -> Visit:
    cookies: dict[str, str] = {}
    for name, value in _COOKIE.findall(request.headers.get("cookie", "")):
        cookies.setdefault(name, value.strip())
    return Visit(
        datetime.now(UTC).replace(tzinfo=None), cookies.get(UUID_COOKIE), cookies.get(HELD_COOKIE), request.scope["scheme"],
        request.headers.get("sec-fetch-storage-access") == "none",
    )  # fmt: skip


def _respond(answer: Answer, callback: str | None, request: Request) -> Response:
    headers = list(_NO_CACHE)
    if answer.errors:
        headers.append(("x-error", ",".join(map(str, answer.errors))))  # IDS-97
    if answer.uuid_cookie is not None:
        headers.append(("set-cookie", _cookie(UUID_COOKIE, answer.uuid_cookie, timedelta(days=UUID_COOKIE_DAYS))))
    if answer.held_cookie is not None:
        lifetime = timedelta(days=UUID_COOKIE_DAYS) if answer.outcome == "opt_out" else HOLD
        headers.append(("set-cookie", _cookie(HELD_COOKIE, answer.held_cookie, lifetime)))
    origin = request.headers.get("origin", "")
    if _ORIGIN.fullmatch(origin):  # a page's script may read the answer, with the visitor's cookie
        headers += [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true"), ("vary", "origin")]
    status, content, media_type = 200, b"", None
    if answer.location is not None:
        status = 302
        headers.append(("location", answer.location))
    elif answer.body == "gif":
        content, media_type = _GIF, "image/gif"
    elif answer.body == "json":
        content, media_type = _json(answer), "application/json"
        if callback is not None and _CALLBACK.fullmatch(callback):
            content, media_type = b"/**/" + callback.encode() + b"(" + content + b");", "application/javascript"
    response = Response(content, status, media_type=media_type)
    response.raw_headers += [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return response


def _cookie(name: str, value: str, lifetime: timedelta) -> str:
    """For the platform's own domain, also when the page is another's (IDS-94)."""
    return f"{name}={value}; Max-Age={int(lifetime.total_seconds())}; Path=/; Secure; HttpOnly; SameSite=None"


def _json(answer: Answer) -> bytes:
    """INB-174; IDS-97. Of a call that was refused, nothing but its codes."""
    shown: dict[str, Any] = {}
    if answer.uuid is not None:
        shown = {"uuid": answer.uuid, "dcs_region": 0, "tid": secrets.token_urlsafe(12), "stuff": []}
        if answer.syncs:
            shown["ibs"] = list(answer.syncs)
    if answer.errors:
        shown["errors"] = [{"code": code, "msg": MESSAGES[code]} for code in answer.errors]
    return json.dumps(shown, separators=(",", ":")).encode()


def create_app(catalog: Catalog, stand_in: str | None = None) -> Starlette:
    """The service of one workspace, as an ASGI application.

    `stand_in` adds the page that plays the whole story, with an address of this service that stands for the partners.
    """
    service = Service(catalog if stand_in is None else with_stand_ins(catalog, stand_in))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch())
        log.info("started", extra={"home": str(service.home), "pid": os.getpid()})
        try:
            yield
        finally:
            watching.cancel()
            service.capture.close()
            service.known.close()
            log.info("stopped", extra={"pid": os.getpid()})

    routes = [Route("/healthz", service.healthz), Route("/metrics", service.show_metrics)]
    if stand_in is not None:
        routes += DemoPage(catalog).routes()
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = service
    app.state.service = service
    return app
