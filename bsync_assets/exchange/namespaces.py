"""Namespaces every account shares, and the form their IDs have. The forms themselves are ruled in `ids.sql`."""

from __future__ import annotations

PLATFORM = 0
ECID = 4

#: DPID of each global device namespace -> (what it is called, form of its IDs). IDS-13 to IDS-20.
DEVICE_NAMESPACES: dict[int, tuple[str, str]] = {
    20914: ("GAID (Android)", "hex_lower"),
    20915: ("IDFA (iOS)", "hex_upper"),
    121963: ("RIDA (Roku)", "hex_lower"),
    389146: ("MAID (Windows)", "alphanumeric"),
    963906: ("TIFA (Tizen)", "alphanumeric"),
    488258: ("Fire TV ID", "hex_lower"),
    1171485: ("LGUDID (webOS)", "hex_lower"),
    1171489: ("Vizio IFA", "alphanumeric"),
}

#: Namespaces whose IDs are devices: the platform's own and the global device namespaces.
DEVICE_DPIDS: tuple[int, ...] = (PLATFORM, ECID, *DEVICE_NAMESPACES)


def id_form(dpid: int, key: str = "customer", label: str | None = None) -> str:
    """The form of the IDs of one namespace: `platform`, `hex_lower`, `hex_upper`, `alphanumeric`, `hashed_email`, `customer`.

    `key` and `label` are those of the data source and say nothing for a shared namespace. IDS-08, IDS-11 to IDS-23, INB-67.
    """
    if dpid in DEVICE_NAMESPACES:
        return DEVICE_NAMESPACES[dpid][1]
    if dpid in (PLATFORM, ECID) or key in ("aam", "ecid"):
        return "platform"
    return "hashed_email" if label == "hashed_email" else "customer"
