"""The catalog as the service needs it: whose data source is whose, where a redirect may go, whom we call ourselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from bsync_assets.catalog.models import Catalog, Partner
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, id_form

_FOREIGN = 302  # not a data source of this account (IDS-84)
_TARGET = re.compile(r"(https?)://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(?=[/?#]|\Z)", re.IGNORECASE)
_MACRO = re.compile(r"\$\{(DD_UUID|GDPR|GDPR_CONSENT_[0-9]+)\}|%(DID|TIMESTAMP|HTTP_PROTO)%")
_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class SyncCall:
    """A partner that we call: its URL with macros, the data sources whose links show that it answered, its vendor ID."""

    partner: str
    partner_id: int
    url: str
    dpids: tuple[int, ...]
    vendor_id: int | None


class Policy:
    """What the catalog says, by look-up."""

    def __init__(self, catalog: Catalog) -> None:
        self.vendor_id = catalog.settings.serve.vendor_id
        self.pid = catalog.settings.account.pid
        self._denied = {tuple(denied.split(":", 1)) for denied in catalog.settings.serve.denied_ids}
        self._forms = {dpid: id_form(dpid) for dpid in DEVICE_DPIDS}
        self._forms |= {s.id: id_form(s.id, s.key, s.label) for s in catalog.data_sources.values()}
        self._codes = {s.integration_code: s.id for s in catalog.data_sources.values() if s.integration_code}
        self.cross_device = {s.id for s in catalog.data_sources.values() if s.type == "cross_device"}
        self._owner = {s.id: catalog.partners[s.owner] for s in catalog.data_sources.values() if s.owner is not None}
        self.sync_calls = [
            SyncCall(p.name, p.id, p.sync.url, tuple(dpid for dpid, owner in self._owner.items() if owner is p), p.sync.vendor_id)
            for p in catalog.partners.values()
            if p.sync is not None
        ]

    def resolve(self, namespace: int | str) -> tuple[int | str, str] | int:
        """Data source and ID form of a namespace on a call, or the code that refuses it; see `calls.Resolve`."""
        dpid = namespace if isinstance(namespace, int) else self._codes.get(namespace)
        if dpid is None or dpid not in self._forms:
            return _FOREIGN
        return dpid, self._forms[dpid]

    def is_denied(self, dpid: int, value: str) -> bool:
        """Whether the ID is on the deny list (IDS-98)."""
        return (str(dpid), value) in self._denied

    def owner(self, dpid: int) -> Partner | None:
        """The partner that owns the data source; None = the account itself, or a namespace all share."""
        return self._owner.get(dpid)

    def vendor_of(self, dpid: int) -> int | None:
        """Vendor ID of the data source's owner, if it has one (PRV-017)."""
        owner = self.owner(dpid)
        return owner.sync.vendor_id if owner is not None and owner.sync is not None else None

    def redirect(self, url: str, dpids: list[int], uuid: str) -> str | None:
        """The address to redirect to, macros filled in (IDS-86); None unless its host is one of the partners' of these IDs.

        The host is read before macros are filled in, and must be written just as in the catalog, so nothing has to be guessed
        about how a browser reads userinfo, back slashes, encodings or international names.
        """
        found = _TARGET.match(url)
        if found is None:
            return None
        scheme, host, port = found[1].lower(), found[2].lower(), found[3]
        owners = [owner for owner in map(self.owner, dpids) if owner is not None and owner.sync is not None]
        allowed = {name.lower() for owner in owners for name in (owner.sync.redirect_hosts if owner.sync else ())}
        is_default = port is None or port == _PORTS[scheme]
        if f"{host}:{port or _PORTS[scheme]}" not in allowed and not (is_default and host in allowed):
            return None
        return quote(url.replace("${DD_UUID}", uuid), safe="%/:=&?~#+!$,;'@()*[]|")


def sync_url(call: SyncCall, uuid: str, consent: str | None, now: datetime, scheme: str) -> str:
    """The URL of our call to a partner, macros filled in (IDS-88, PRV-019). `consent`: the string that applies, if one does."""
    values = {
        "DD_UUID": uuid,
        "DID": uuid,
        "TIMESTAMP": str(int(now.timestamp() * 1000)),
        "HTTP_PROTO": scheme,
        "GDPR": "0" if consent is None else "1",
    }

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return (consent or "") if name.startswith("GDPR_CONSENT_") else values[name]

    return _MACRO.sub(value, call.url)
