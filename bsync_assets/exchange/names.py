"""File names and keys of inbound files: parsing and refusing them (IDS-30 to IDS-42, INB-02 to INB-27)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from bsync_assets.exchange.namespaces import DEVICE_DPIDS

PREFIXES = {  # longest first: `ftp_dpm_odc_` also begins with `ftp_dpm_`
    "ftp_dpm_odc_": ("data", "odc"),
    "ftp_dpm_": ("data", "standard"),
    "adobe_id_": ("id_sync", "adobe_id"),
    "c2c_id_": ("id_sync", "c2c_id"),
}
_DATE_FOLDER = re.compile(r"date=(\d{4}-\d{2}-\d{2})", re.ASCII)
_SPLIT = re.compile(r"[0-9]{1,10}")
_DPID = re.compile(r"0|[1-9][0-9]{0,9}")
_TIMESTAMP = re.compile(r"[0-9]{10}")


class NameRefused(ValueError):
    """The name breaks a rule; `code` is one of `reasons.FILE_REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class FileName:
    """A parsed name. `family` is `data` or `id_sync`; fields of the other family, and what the name leaves out, are None."""

    family: str
    timestamp: int
    format: str | None = None
    dpid: int | None = None
    target: int | None = None
    mode: str | None = None
    prefix: str | None = None
    master: int | None = None
    dpids: tuple[int, ...] = ()
    split: int | None = None
    compression: str | None = None
    encryption: str | None = None
    partner: str | None = None
    date: str | None = None

    def normal_form(self) -> dict[str, Any]:
        """The name as a JSON object with the keys of its family; folder keys only when a folder was given."""
        fields = asdict(self) | {"dpids": list(self.dpids)}
        own = ("format", "dpid", "target", "mode") if self.family == "data" else ("prefix", "master", "dpids")
        form = {k: fields[k] for k in ("family", *own, "timestamp", "split", "compression", "encryption")}
        return form if self.partner is None else form | {"partner": self.partner, "date": self.date}


def parse_name(key: str) -> FileName:
    """Parse a file name, or a key `[scheme://bucket/path/]partner/date=YYYY-MM-DD/name`.

    Raises NameRefused with the first rule broken, in the order folder, prefix, mode, suffix, time stamp, DPIDs (IDS-42, INB-27).
    """
    partner, day, name = _parse_folder(key)
    prefix = next((p for p in PREFIXES if name.startswith(p)), None)
    if prefix is None:
        raise NameRefused("unknown_prefix")
    family, kind = PREFIXES[prefix]
    stem, _, endings = name.removeprefix(prefix).partition(".")
    mode, *suffixes = endings.split(".")
    if mode == "processed" and not suffixes:
        raise NameRefused("already_processed")
    if mode not in (("sync", "overwrite") if family == "data" else ("sync",)):
        raise NameRefused("bad_mode")
    split, compression, encryption = _parse_suffixes(suffixes)
    *numbers, timestamp = stem.split("_")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise NameRefused("bad_timestamp")
    if not all(_DPID.fullmatch(number) for number in numbers):
        raise NameRefused("bad_dpid")
    dpids = [int(number) for number in numbers]
    common: dict[str, Any] = {
        "timestamp": int(timestamp), "split": split, "compression": compression, "encryption": encryption,
        "partner": partner, "date": day,
    }  # fmt: skip
    if family == "data":
        _check_data_dpids(dpids, kind)
        target = dpids[1] if len(dpids) > 1 else None
        return FileName("data", format=kind, dpid=dpids[0], target=target, mode=mode, **common)
    _check_sync_dpids(dpids, kind)
    return FileName("id_sync", prefix=kind, master=dpids[0], dpids=tuple(dpids[1:]), **common)


def _parse_folder(key: str) -> tuple[str | None, str | None, str]:
    """(partner, day, file name); a bare name has no folder to check. INB-02, INB-03."""
    scheme, _, rest = key.partition("://")
    *folders, name = (rest if rest else scheme).split("/")
    if not folders:
        return None, None, name
    match = _DATE_FOLDER.fullmatch(folders[-1])
    try:
        day = date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        day = None
    if day is None:
        raise NameRefused("bad_date_folder")
    partner = folders[-2] if len(folders) > (2 if rest else 1) else ""
    if not partner:
        raise NameRefused("missing_partner_folder")
    return partner, day, name


def _parse_suffixes(suffixes: list[str]) -> tuple[int | None, str | None, str | None]:
    """(split, compression, encryption) of what follows the mode. INB-22 to INB-25, IDS-37, IDS-39."""
    packed = {"gz", "pgp", "gpg"}
    split = None
    rest = suffixes
    if rest and _SPLIT.fullmatch(rest[0]):
        split, rest = int(rest[0]), rest[1:]
    if "gz" in rest and packed & set(rest) != {"gz"}:
        raise NameRefused("gz_and_pgp")
    if not rest:
        return split, None, None
    if len(rest) > 1:
        raise NameRefused("bad_suffix")
    if rest[0] in packed:
        return split, ("gz" if rest[0] == "gz" else None), (rest[0] if rest[0] != "gz" else None)
    known_elsewhere = {"zip", "gzip", "bz2", "xz", "zst", "7z", "rar", "tar", "tgz", "z", "lz4", "br"}
    raise NameRefused("unsupported_compression" if rest[0].lower() in known_elsewhere else "bad_suffix")


def _check_data_dpids(dpids: list[int], kind: str) -> None:
    """INB-13, INB-14, INB-16, INB-27."""
    if not dpids:
        raise NameRefused("missing_dpid")
    if len(dpids) > 2:
        raise NameRefused("too_many_dpids")
    if dpids[0] in DEVICE_DPIDS and len(dpids) == 1:
        raise NameRefused("missing_target_data_owner")
    if len(dpids) == 2 and dpids[1] in DEVICE_DPIDS:
        raise NameRefused("target_is_global")


def _check_sync_dpids(dpids: list[int], kind: str) -> None:
    """IDS-33 to IDS-35, IDS-62."""
    if len(dpids) < 2:
        raise NameRefused("missing_dpid")
    if kind == "c2c_id" and len(dpids) > 2:
        raise NameRefused("too_many_dpids")
    if len(set(dpids)) < len(dpids):
        raise NameRefused("duplicate_dpid")
    if kind == "c2c_id" and any(dpid in DEVICE_DPIDS for dpid in dpids):
        raise NameRefused("device_dpid_in_c2c")
    if dpids[0] not in DEVICE_DPIDS and any(dpid in DEVICE_DPIDS for dpid in dpids[1:]):
        raise NameRefused("device_id_not_first")
