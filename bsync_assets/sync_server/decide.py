"""What a call leads to: the answer, and the record that is kept of it. No HTTP, no disk.

Order of precedence (PRV-028): opt-outs, then consent, then all else. Of a refused call nothing is kept but that there was one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bsync_assets.exchange.calls import Call, DeclaredId, is_uuid
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, ECID, PLATFORM
from bsync_assets.sync_server.capture import Record
from bsync_assets.sync_server.consent import Consent, read_consent
from bsync_assets.sync_server.policy import Policy, SyncCall, sync_url
from bsync_assets.sync_server.private import is_private

OPTED_OUT = "NOTARGET"
UUID_COOKIE, HELD_COOKIE = "demdex", "dextp"
UUID_COOKIE_DAYS = 180  # IDS-94
HOLD = timedelta(minutes=20160)  # IDS-88: how long a sync with one partner is not repeated
_MOST_HELD = 100  # partners in the cookie, so that it stays small

MESSAGES = {
    100: "Host header missing", 101: "Invalid Experience Cloud ID", 102: "Invalid platform ID", 104: "No valid customer ID",
    171: "Opt-out", 172: "Cookies blocked", 300: "Invalid customer ID", 301: "Too many customer IDs",
    302: "Not a data source of the caller",
    303: "Customer ID is on the deny list", 309: "Customer ID dropped", 310: "Customer ID dropped, too many of one data source",
    311: "Bad encoding", 312: "Invalid device ID", 315: "Consent denied",
}  # fmt: skip


class Knowledge(Protocol):
    """What `known.Known` answers."""

    def newest_device(self, dpid: int, value: str) -> str | None: ...  # noqa: D102
    def is_opted_out(self, dpid: int, value: str) -> bool: ...  # noqa: D102
    def last_linked(self, device: str) -> dict[int, str]: ...  # noqa: D102


@dataclass(frozen=True)
class Answer:
    """How a call is answered. `uuid` = the visitor; a cookie that is None is left as it is; `body` is gif, json or nothing."""

    outcome: str
    record: Record
    errors: tuple[int, ...] = ()
    uuid: str | None = None
    uuid_cookie: str | None = None
    held_cookie: str | None = None
    location: str | None = None
    redirect: str | None = None
    body: str = ""
    syncs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Visit:
    """What a call came with, besides what it says."""

    now: datetime
    uuid_cookie: str | None = None
    held_cookie: str | None = None
    scheme: str = "http"
    cookies_blocked: bool = False  # the browser says that it keeps none of ours


def decide(call: Call, visit: Visit, known: Knowledge, policy: Policy) -> Answer:
    """The answer to a call. IDS-86 to IDS-105, IDS-120 to IDS-128, PRV-010 to PRV-029."""
    if call.refused is not None:
        return _refused(call, visit, call.refused, call.errors)
    if call.call == "demoptout":
        return _opt_out(call, visit, known)
    device = _device(call, visit, known)
    named = ((PLATFORM, device), *((i.namespace, i.value) for i in call.ids))
    if visit.uuid_cookie == OPTED_OUT or any(v is not None and known.is_opted_out(d, v) for d, v in named):  # type: ignore[arg-type]
        return _refused(call, visit, "opted_out", (171,))  # IDS-96, PRV-026
    if visit.cookies_blocked and visit.uuid_cookie is None and call.uuid is None:
        return _refused(call, visit, "cookies_blocked", (172,))  # IDS-95
    if call.consent not in ("not_applicable", "evaluate"):
        return _refused(call, visit, call.consent)
    consent = read_consent(call.consent_string) if call.consent == "evaluate" else None
    if call.consent == "evaluate" and consent is None:
        return _refused(call, visit, "consent_missing")  # PRV-014
    if consent is not None and not consent.allows_platform(policy.vendor_id):
        return _denied(call, visit, device, known, policy)
    return _taken(call, visit, device, consent, known, policy)


def _refused(call: Call, visit: Visit, outcome: str, errors: tuple[int, ...] = ()) -> Answer:
    """Nothing is kept but the count; JSON shows the codes to who asked for it."""
    record: Record = {"at": visit.now, "call": call.call, "outcome": outcome}
    if errors:
        record["errors"] = list(errors)
    return Answer(outcome, record, errors, body="json" if call.wants_json else "")


def _device(call: Call, visit: Visit, known: Knowledge) -> str | None:
    """The visitor, where it is one we know: `d_uuid`, else the cookie, else the newest link of an ID on the call (IDS-93)."""
    if call.uuid is not None:
        return call.uuid
    if visit.uuid_cookie is not None and is_uuid(visit.uuid_cookie):
        return visit.uuid_cookie
    for declared in call.ids:
        if (device := known.newest_device(*_pair(declared))) is not None:
            return device
    return None


def _pair(declared: DeclaredId) -> tuple[int, str]:
    assert isinstance(declared.namespace, int)  # resolved by the catalog
    return declared.namespace, declared.value


# --- Opt-outs


def _opt_out(call: Call, visit: Visit, known: Knowledge) -> Answer:
    """IDS-120 to IDS-124, PRV-020 to PRV-024. Declared IDs go with the device named on the call, else with their newest one."""
    entries: list[tuple[int, str, str]] = []
    unlinked: list[tuple[int, str, str]] = []
    is_global = not (call.ids or call.uuid or call.ecid or call.errors)
    if is_global:
        if visit.uuid_cookie is not None and is_uuid(visit.uuid_cookie):
            entries.append((PLATFORM, visit.uuid_cookie, "global"))
    else:
        entries += [(dpid, value, "account") for dpid, value in map(_pair, call.ids)]
        if call.uuid is not None:
            entries.append((PLATFORM, call.uuid, "account"))
        if call.ecid is not None:
            entries.append((ECID, call.ecid, "account"))
        if call.uuid is None and call.ecid is None:
            _add_last_devices(map(_pair, call.ids), "account", known, entries, unlinked)
    record: Record = {"at": visit.now, "call": call.call, "outcome": "opt_out", "opt_outs": entries}
    if unlinked:
        record["unlinked"] = unlinked
    cookie = OPTED_OUT if is_global else None
    errors = (*call.errors, 171) if entries or is_global else call.errors
    return Answer("opt_out", record, tuple(sorted(errors)), uuid_cookie=cookie, held_cookie=cookie, body="json")


def _denied(call: Call, visit: Visit, device: str | None, known: Knowledge, policy: Policy) -> Answer:
    """Consent that was asked for and not given opts out every ID on the call (PRV-016, IDS-126)."""
    entries = [(dpid, value, "consent") for dpid, value in map(_pair, call.ids)]
    unlinked: list[tuple[int, str, str]] = []
    if device is not None:
        entries.append((PLATFORM, device, "consent"))
    _add_last_devices([p for p in map(_pair, call.ids) if p[0] in policy.cross_device], "consent", known, entries, unlinked)
    record: Record = {"at": visit.now, "call": call.call, "outcome": "consent_denied", "errors": [315], "opt_outs": entries}
    if unlinked:
        record["unlinked"] = unlinked
    return Answer("consent_denied", record, (315,), body="json" if call.wants_json else "")


def _add_last_devices(
    pairs: Any, kind: str, known: Knowledge, entries: list[tuple[int, str, str]], unlinked: list[tuple[int, str, str]]
) -> None:
    """Add the device each ID was last linked to; without one the run looks again, over the links of the day before."""
    for dpid, value in pairs:
        if dpid in DEVICE_DPIDS:
            continue
        device = known.newest_device(dpid, value)
        if device is None:
            unlinked.append((dpid, value, kind))
        elif (PLATFORM, device, kind) not in entries:
            entries.append((PLATFORM, device, kind))


# --- Visits and syncs


def _taken(call: Call, visit: Visit, device: str | None, consent: Consent | None, known: Knowledge, policy: Policy) -> Answer:
    errors = list(call.errors)
    ids: list[DeclaredId] = []
    for declared in call.ids:
        vendor = policy.vendor_of(_pair(declared)[0])
        if policy.is_denied(*_pair(declared)):
            errors.append(303)  # IDS-98
        elif consent is None or vendor is None or vendor in consent.vendors:  # PRV-017: else that one sync is not honoured
            ids.append(declared)
    partner_denied = len(ids) + errors.count(303) < len(call.ids)
    codes = tuple(sorted(errors))
    if not ids and not partner_denied and (call.call == "ibs" or (errors.count(303) and call.call != "event")):
        return _refused(call, visit, "no_valid_id", codes)  # IDS-84, IDS-98

    uuid = device or new_uuid()
    record: Record = {"at": visit.now, "call": call.call, "outcome": "taken", "device": uuid}
    record |= {name: value for name, value in _details(call, ids, codes, device is None, partner_denied).items() if value}
    answer = Answer("taken", record, codes, uuid, uuid_cookie=uuid, body=_body(call))
    if call.redir is not None or call.redir_ignored:
        location = policy.redirect(call.redir, [_pair(i)[0] for i in ids], uuid) if call.redir else None
        record["redirect"] = "sent" if location else "refused"
        answer = replace(answer, location=location, redirect=record["redirect"])
    if call.wants_json and call.call != "ibs":
        answer = _with_syncs(answer, call, visit, consent, uuid, known, policy)
    return answer


def _details(call: Call, ids: list[DeclaredId], errors: tuple[int, ...], is_new: bool, partner_denied: bool) -> Record:
    signals: dict[str, list[str]] = {}
    for key, value in call.signals:
        if not is_private(key):
            signals.setdefault(key, []).append(value)
    return {
        "new": is_new,
        "ids": [list(declared) for declared in ids],
        "errors": list(errors),
        "partner_consent_denied": partner_denied,
        "signals": [[key, *values] for key, values in signals.items()],
        "private": [signal for signal in call.signals if is_private(signal[0])],  # judged, then dropped, by the writer (TRT-006)
        "traits": list(call.trait_ids),
        "only": call.only_source,
    }


def _body(call: Call) -> str:
    if call.wants_json:
        return "json"
    return "" if call.call == "event" else "gif"  # INB-174, IDS-86


def new_uuid() -> str:
    """A platform UUID: 38 random digits, derived from nothing (PRV-054)."""
    while not is_uuid(uuid := f"{secrets.randbelow(10**38):038}"):
        pass
    return uuid


def _with_syncs(
    answer: Answer, call: Call, visit: Visit, consent: Consent | None, uuid: str, known: Knowledge, policy: Policy
) -> Answer:
    """Add our calls to the partners that have no fresh link for this visitor and were not called lately (IDS-88, PRV-019)."""
    held = _held(visit)
    fresh_since = (visit.now - HOLD).isoformat(sep=" ")
    linked = known.last_linked(uuid) if policy.sync_calls else {}
    now_linked = {_pair(DeclaredId(*declared))[0] for declared in answer.record.get("ids", ())}
    due: list[SyncCall] = []
    for sync in policy.sync_calls:
        is_fresh = any(dpid in now_linked or linked.get(dpid, "") >= fresh_since for dpid in sync.dpids)
        may = consent is None or sync.vendor_id is None or sync.vendor_id in consent.vendors
        if may and not is_fresh and sync.partner_id not in held and len(held) + len(due) < _MOST_HELD:
            due.append(sync)
    if not due:
        return answer
    string = call.consent_string if consent is not None else None
    tags = tuple(
        {"id": str(s.partner_id), "ttl": int(HOLD.total_seconds() // 60), "tag": "img",
         "url": [sync_url(s, uuid, string, visit.now, visit.scheme)]} for s in due
    )  # fmt: skip
    answer.record["syncs"] = [sync.partner for sync in due]
    started = int(visit.now.timestamp())
    cookie = "|".join(f"{partner}-{at}" for partner, at in (held | {s.partner_id: started for s in due}).items())
    return replace(answer, syncs=tags, held_cookie=cookie)


def _held(visit: Visit) -> dict[int, int]:
    """Partner ID -> when (Unix time) the last call to it was started, of those too young to be repeated."""
    since, now = int((visit.now - HOLD).timestamp()), int(visit.now.timestamp())
    held: dict[int, int] = {}
    for partner, at in re.findall(r"(?:^|\|)([1-9][0-9]{0,17})-([0-9]{10})(?=\||$)", (visit.held_cookie or "")[:4096]):
        if since < int(at) <= now + 60:
            held[int(partner)] = int(at)
    return held
