"""HTTP calls of visitors and partners: from the request line (and a form body) to what the call says. No I/O.

IDS-80 to IDS-105, IDS-111, IDS-120; INB-170 to INB-176; TRT-001 to TRT-003. What a call leads to is the service's concern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from bsync_assets.exchange.namespaces import DEVICE_NAMESPACES, ECID, PLATFORM, id_form
from bsync_assets.rules.trait_rules import RESERVED_KEYS, is_key_name

MAX_IDS = 10  # IDS-105
MAX_IDS_PER_NAMESPACE = 3
MAX_KEY = 255  # characters of a signal's key, which is stored once per value

#: Path -> call. `/ibs:` has its parameters in the path (IDS-80).
_PATHS = {b"/id": "id", b"/event": "event", b"/demoptout": "demoptout", b"/demoptout.jpg": "demoptout"}
#: Integration codes that name global sources (IDS-102).
_GLOBAL_CODES = {"DSID_20914": 20914, "DSID_20915": 20915}
#: Codes of IDS-110 that say an ID is malformed.
_BAD_ECID, _BAD_UUID, _ALL_BAD, _BAD_ID, _TOO_MANY, _FOREIGN = 101, 102, 104, 300, 301, 302
_DROPPED, _DROPPED_OF_NAMESPACE, _BAD_ENCODING, _BAD_DEVICE = 309, 310, 311, 312
#: Namespace -> what a malformed ID of it is answered with; 300 for all others.
_REFUSALS = {PLATFORM: _BAD_UUID, ECID: _BAD_ECID} | dict.fromkeys(DEVICE_NAMESPACES, _BAD_DEVICE)

_WELL_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")
_DPID = re.compile(r"0|[1-9][0-9]{0,9}")  # IDS-06
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_REDIRECT = re.compile(r"https?://[^/]", re.IGNORECASE)
#: What senders write when they know no ID: all who send it would become one visitor (IDS-22).
_NOBODY = re.compile(r"[0-]+|null|undefined|none|nan", re.IGNORECASE)
_FORMS = {
    "platform": re.compile(r"[0-9]{38}"),
    "hex_lower": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "hex_upper": re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
    "alphanumeric": re.compile(r"(?=.{1,128}\Z)[0-9A-Za-z]+(-[0-9A-Za-z]+)*"),
    "hashed_email": re.compile(r"[0-9a-f]{64}"),
}
#: Parameters that are no signals: the control keys (TRT-007), and the older spelling of an ID.
_NO_SIGNALS = RESERVED_KEYS | {"dpid", "dpuuid"}


class NotACall(ValueError):
    """The path is none of the service's calls."""


class DeclaredId(NamedTuple):
    """An ID on a call: data source ID, or integration code as text; the ID; authentication state or None (IDS-103)."""

    namespace: int | str
    value: str
    auth: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """What a call says.

    `consent` is not_applicable, evaluate (`consent_string` decides) or the reason of a refusal (IDS-91). `refused` is
    bad_encoding (311) or pii (PRV-051): nothing of the call may be used. `signals` are those of an event, without control keys.
    """

    call: str
    ids: tuple[DeclaredId, ...] = ()
    errors: tuple[int, ...] = ()
    consent: str = "not_applicable"
    consent_string: str = ""
    redir: str | None = None
    redir_ignored: bool = False
    uuid: str | None = None
    ecid: str | None = None
    wants_json: bool = False
    callback: str | None = None
    signals: tuple[tuple[str, str], ...] = ()
    trait_ids: tuple[int, ...] = ()
    only_source: int | None = None
    refused: str | None = None


#: From a namespace as written to (data source ID or code, form of its IDs), or to the code of IDS-110 that refuses it.
Resolve = Callable[[int | str], tuple[int | str, str] | int]


def any_source(namespace: int | str) -> tuple[int | str, str]:
    """Takes every namespace, for want of a catalog."""
    return namespace, id_form(namespace) if isinstance(namespace, int) else "customer"


def parse_call(target: str | bytes, body: bytes = b"", resolve: Resolve = any_source) -> Call:
    """The call that a URL or request target, and the form body of a POST, make. Raises NotACall for other paths.

    IDs that break a rule are left out and reported in `errors`; the valid rest stays (IDS-111).
    """
    raw = target.encode("utf-8", "surrogatepass") if isinstance(target, str) else target
    call, query = _call_and_query(raw)
    if body:
        query += b"&" + body
    pairs = [(key, value) for key, _, value in (pair.partition(b"=") for pair in query.split(b"&") if pair)]
    dropped = Call(call, errors=(_BAD_ENCODING,), refused="bad_encoding", wants_json=(b"d_rtbd", b"json") in pairs)  # IDS-83
    if not _WELL_ENCODED.fullmatch(query):
        return dropped
    try:
        query.decode()
        return _read(call, [(unquote_to_bytes(key).decode(), value, unquote_to_bytes(value).decode()) for key, value in pairs],
                     resolve)  # fmt: skip
    except UnicodeDecodeError:
        return dropped


def _call_and_query(raw: bytes) -> tuple[str, bytes]:
    raw = raw.partition(b"#")[0]
    _, has_host, rest = raw.partition(b"://")
    if has_host and b"/" not in raw.partition(b"://")[0] and not raw.startswith(b"ibs:"):
        raw = b"/" + rest.partition(b"/")[2]
    elif not raw.startswith(b"/"):
        raw = b"/" + raw
    if raw.startswith(b"/ibs:"):
        return "ibs", raw[5:].replace(b"?", b"&")  # IDS-81
    path, _, query = raw.partition(b"?")
    if path not in _PATHS:
        raise NotACall(path.decode("utf-8", "replace"))
    return _PATHS[path], query


def _read(call: str, params: list[tuple[str, bytes, str]], resolve: Resolve) -> Call:
    """`params`: key, value as sent, value decoded."""
    single: dict[str, str] = {}
    for key, _, value in params:
        single.setdefault(key, value)  # IDS-81
    errors: list[int] = []
    ids = _ids(call, params, single, resolve, errors)
    uuid, ecid = _devices(single, errors)
    signals = tuple(dict.fromkeys(_signals(params))) if call == "event" else ()
    redir = single.get("redir") if call == "ibs" else None
    is_usable = redir is not None and _REDIRECT.match(redir) is not None and not _CONTROL.search(redir)
    return Call(
        call,
        ids=tuple(ids),
        errors=tuple(sorted(errors)),
        consent=_consent(single.get("gdpr"), single.get("gdpr_consent")),
        consent_string=single.get("gdpr_consent", ""),
        redir=redir if is_usable else None,
        redir_ignored=redir is not None and not is_usable,
        uuid=uuid,
        ecid=ecid,
        wants_json=single.get("d_rtbd") == "json",
        callback=single.get("d_cb"),
        signals=signals,
        trait_ids=tuple(dict.fromkeys(_trait_ids(params))) if call == "event" else (),
        only_source=_only_source(single, resolve) if call == "event" else None,
        refused="pii" if any(holds_email(value) for _, value in signals) else None,
    )


# --- IDs


def _ids(
    call: str, params: list[tuple[str, bytes, str]], single: dict[str, str], resolve: Resolve, errors: list[int]
) -> list[DeclaredId]:
    """The valid IDs in the order of the call, within the limits; what is wrong with the others goes to `errors`."""
    written = list(_written_ids(params, single))
    if call == "ibs" and not written:
        written = [("", "", "")]  # a sync without an ID lacks one (IDS-84)
    found: list[DeclaredId] = []
    for namespace, value, auth in written:
        outcome = _declared(namespace, value, auth, resolve)
        if isinstance(outcome, int):
            errors.append(outcome)
        elif outcome not in found:  # IDS-104
            found.append(outcome)
    if written and not found:
        errors.append(_ALL_BAD)

    kept: list[DeclaredId] = []
    for declared in found:
        if sum(other.namespace == declared.namespace for other in kept) < MAX_IDS_PER_NAMESPACE:
            kept.append(declared)
        else:
            errors.append(_DROPPED_OF_NAMESPACE)
    if len(kept) > MAX_IDS:
        errors += [_TOO_MANY, *[_DROPPED] * (len(kept) - MAX_IDS)]
    return kept[:MAX_IDS]


def _written_ids(params: list[tuple[str, bytes, str]], single: dict[str, str]) -> Iterator[tuple[int | str, str, str | None]]:
    """(namespace, ID, authentication state) as written; "" for what is missing or malformed."""
    seen = set()
    for key, raw, _ in params:
        if key in ("d_cid", "d_cid_ic"):
            # Split before decoding, so that an ID can hold what separates (IDS-101).
            parts = [unquote_to_bytes(part).decode() for part in raw.split(b"%01")]
            if len(parts) not in (2, 3):
                yield "", "", None
                continue
            namespace = _number(parts[0]) if key == "d_cid" else _GLOBAL_CODES.get(parts[0], parts[0])
            yield namespace, parts[1], parts[2] if len(parts) == 3 else None
        elif key in ("dpid", "dpuuid", "d_dpid", "d_dpuuid"):
            prefix = "d_" if key.startswith("d_") else ""
            if prefix not in seen:
                seen.add(prefix)
                yield _number(single.get(prefix + "dpid", "")), single.get(prefix + "dpuuid", ""), None


def _number(text: str) -> int | str:
    return int(text) if _DPID.fullmatch(text) else ""


def _declared(namespace: int | str, value: str, auth: str | None, resolve: Resolve) -> DeclaredId | int:
    """The ID, or the code that refuses it (IDS-84, IDS-101, IDS-103, IDS-110)."""
    if namespace == "" or not value.strip() or auth not in (None, "0", "1", "2"):
        return _BAD_ID
    if isinstance(namespace, str) and _CONTROL.search(namespace):
        return _BAD_ID
    resolved = resolve(namespace)
    if isinstance(resolved, int):
        return resolved
    known, form = resolved
    if id_problem(form, value) is not None or _CONTROL.search(value) or _NOBODY.fullmatch(value):
        return _REFUSALS.get(known, _BAD_ID) if isinstance(known, int) else _BAD_ID
    return DeclaredId(known, value, None if auth is None else int(auth))


def id_problem(form: str, value: str) -> str | None:
    """The macro `id_problem` of `ids.sql` for one ID, without an engine; a test holds the two to each other."""
    if form in ("customer", "hashed_email"):
        if ":" in value or "%3A" in value or "%3a" in value:
            return "colon_in_id"
        if holds_email(value):
            return "pii"
        return "bad_hash" if form == "hashed_email" and not _FORMS[form].fullmatch(value) else None
    nobody = form != "platform" and re.fullmatch(r"[0-]+", value)
    if nobody or not _FORMS[form].fullmatch(value):
        return "invalid_aam_id" if form == "platform" else "invalid_device_id"
    return None


def holds_email(value: str) -> bool:
    """Whether a text contains an e-mail address in clear (PRV-051)."""
    return ("@" in value or "%40" in value) and _EMAIL.search(value.replace("%40", "@")) is not None


def is_uuid(text: str) -> bool:
    """Whether `text` can be one visitor's platform UUID (IDS-11)."""
    return _FORMS["platform"].fullmatch(text) is not None and text.strip("0") != ""


def _devices(single: dict[str, str], errors: list[int]) -> tuple[str | None, str | None]:
    """(`d_uuid`, `d_mid` of an organization), where they are well formed."""
    uuid, ecid = single.get("d_uuid"), single.get("d_mid")
    if uuid is not None and not is_uuid(uuid):
        errors.append(_BAD_UUID)
        uuid = None
    if ecid is not None and not (is_uuid(ecid) and single.get("d_orgid")):
        errors.append(_BAD_ECID)
        ecid = None
    return uuid, ecid


# --- Consent, signals


def _consent(gdpr: str | None, consent: str | None) -> str:
    """PRV-010 to PRV-014, as far as the parameters alone decide."""
    if gdpr is None and consent is None:
        return "not_applicable"
    if gdpr is None or consent is None:
        return "consent_pairing"
    if gdpr not in ("0", "1"):
        return "consent_value"
    if gdpr == "0":
        return "not_applicable"
    return "evaluate" if consent else "consent_missing"


def _signals(params: list[tuple[str, bytes, str]]) -> Iterator[tuple[str, str]]:
    """Every pair is a signal, a comma parts values of one key (TRT-002, INB-170, INB-172); other names are none (TRT-003).

    Nor are values with control characters, as in files (INB-73).
    """
    for key, raw, _ in params:
        if key not in _NO_SIGNALS and len(key) <= MAX_KEY and is_key_name(key):
            for value in raw.split(b","):
                text = unquote_to_bytes(value).decode()
                if not _CONTROL.search(text):
                    yield key, text


def _trait_ids(params: list[tuple[str, bytes, str]]) -> Iterator[int]:
    """Traits named by `d_sid` (INB-171)."""
    for key, _, value in params:
        if key == "d_sid":
            yield from (int(text) for text in value.split(",") if re.fullmatch(r"[0-9]{1,18}", text))


def _only_source(single: dict[str, str], resolve: Resolve) -> int | None:
    """The data source whose traits alone are evaluated (INB-175); -1 = one that has none, because it is not known."""
    if "d_tdpid" in single:
        namespace = _number(single["d_tdpid"])
    elif "d_tdpid_ic" in single:
        namespace = single["d_tdpid_ic"]
    else:
        return None
    resolved = resolve(namespace)
    return resolved[0] if not isinstance(resolved, int) and isinstance(resolved[0], int) else -1


def call_result(url: str) -> dict[str, Any]:
    """The normal form of a call, ready for JSON: the machine form `url`."""
    try:
        call = parse_call(url)
    except NotACall:
        return {"reject": "unknown_call"}
    form: dict[str, Any] = {
        "call": call.call,
        "ids": [list(declared) for declared in call.ids],
        "errors": list(call.errors),
        "consent": call.consent,
    }
    if call.redir is not None:
        form["redir"] = call.redir
    if call.redir_ignored:
        form["redir_ignored"] = True
    return form
