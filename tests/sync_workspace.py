"""A workspace for the service, and what it knows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from workspaces import write_workspace

U = {n: f"1{n:037d}" for n in range(1, 10)}
CATALOG: dict[str, list[dict[str, Any]]] = {
    "partners": [
        {
            "name": "acme",
            "id": 7,
            "sync": {
                "url": "https://v.example/m?u=${DD_UUID}&g=${GDPR}&c=${GDPR_CONSENT_7}",
                "redirect_hosts": ["v.example", "port.example:8443"],
            },
        },
        {"name": "vend", "id": 8, "sync": {"url": "https://w.example/?d=%DID%&t=%TIMESTAMP%", "redirect_hosts": ["w.example"],
                                           "vendor_id": 12}},
        {"name": "plain", "id": 9},
    ],
    "data_sources": [
        {"id": 4101, "owner": "acme"},
        {"id": 4102, "owner": "acme"},
        {"id": 4103, "owner": "acme", "type": "cross_device"},
        {"id": 4105, "owner": "acme", "type": "cross_device", "label": "hashed_email", "integration_code": "mail"},
        {"id": 4112, "owner": "vend", "integration_code": "loyalty"},
        {"id": 4120, "owner": "plain"},
        {"id": 4130},
    ],
    "traits": [
        {"id": 50, "data_source": 4130, "kind": "rule", "rule": 'page == "shop" AND NOT price > 100'},
        {"id": 51, "data_source": 4130, "kind": "rule", "rule": "p_income > 50000"},
        {"id": 52, "data_source": 4101, "kind": "rule", "rule": 'page startswith "sh"'},
        {"id": 53, "data_source": 4101, "rule": 'page == "shop"'},
    ],
}  # fmt: skip


def serve_workspace(home: Path, start: date | None = None) -> Path:
    """Write it; the account starts some days ago."""
    write_workspace(home, CATALOG, start or datetime.now(UTC).date() - timedelta(days=3))
    return home


class Memory:
    """Knowledge as a test gives it: links in order, oldest first, and opt-outs, as `(dpid, id)`."""

    def __init__(self, links: Sequence[tuple[int, str, str]] = (), opted_out: Sequence[tuple[int, str]] = ()) -> None:
        self.links, self.opted_out = links, opted_out
        self.linked_at: dict[str, dict[int, str]] = {}

    def newest_device(self, dpid: int, value: str) -> str | None:
        return next((device for d, v, device in reversed(self.links) if (d, v) == (dpid, value)), None)

    def is_opted_out(self, dpid: int, value: str) -> bool:
        return (dpid, value) in self.opted_out

    def last_linked(self, device: str) -> dict[int, str]:
        return self.linked_at.get(device, {})
