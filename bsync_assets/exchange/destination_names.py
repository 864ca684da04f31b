"""Names of delivered files (OUT-030 to OUT-038, OUT-083, OUT-090): the default name, custom ones, and reading them back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bsync_assets.exchange.templates import Delivery, Template, render

_SPELLINGS = {"s3": "S3", "ftp": "ftp", "http": "http"}  # OUT-031
_NAME = re.compile(
    r"(s3|ftp|http)_(\d+)_(\d+)(?:_([A-Za-z0-9.-]+))?_(iter|full)_(\d{13})(\d{3,}|-\d+)?\.(sync|info)(\.gz)?",
    re.ASCII | re.IGNORECASE,
)


def default_name(delivery: Delivery, gzip: bool) -> str:
    """`SYNCTYPE_DID_MASTERDPID[_PIDALIAS]_SYNCMODE_TIMESTAMP[SPLITNUM].sync[.gz]` (OUT-030 to OUT-035)."""
    given = delivery
    alias = f"_{given.pid_alias}" if given.pid_alias else ""
    number = given.value("SPLITNUM")
    start = f"{_SPELLINGS[given.sync_type]}_{given.order_id}_{given.master_dpid}{alias}_{given.sync_mode}"
    return f"{start}_{given.ts_ms:013d}{number}.sync{'.gz' if gzip else ''}"


def file_name(template: Template | None, delivery: Delivery, gzip: bool = False) -> str:
    """The name of one file of a delivery, `delivery.part` None when it is not split.

    A template that does not print the number gets it before its last extension (OUT-083); one that forgets `.gz` gets that too
    (OUT-037). Raises TemplateError E_NAME_CHARS, see `render`.
    """
    if template is None:
        return default_name(delivery, gzip)
    name = render(template, delivery)
    if delivery.part is not None and name == render(template, replace(delivery, part=None)):
        stem, extension = _stem_and_extension(name.removesuffix(".gz"))
        packed = ".gz" if name.endswith(".gz") else ""
        name = f"{stem}{delivery.value('SPLITNUM')}{extension}{packed}"
    return f"{name}.gz" if gzip and not name.endswith(".gz") else name


def _stem_and_extension(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if stem else (name, "")


def control_names(unsplit_name: str) -> tuple[str, str]:
    """(name of the control file, name that stands for the whole delivery in it) by the name without part number (OUT-090)."""
    whole = unsplit_name.removesuffix(".gz")
    return _stem_and_extension(whole)[0] + ".info", whole


def parse_name_result(name: str) -> dict[str, Any] | str:
    """Answer to a `parse_name` object of the batch form: the parts of a default name, or E_SYNTAX (OUT-036)."""
    match = _NAME.fullmatch(name)
    if match is None:
        return "E_SYNTAX"
    method, destination, master, alias, mode, timestamp, part, kind, packed = match.groups()
    return {
        "method": method.lower(), "destination_id": int(destination), "master_dpid": int(master), "pid_alias": alias,
        "mode": mode.lower(), "timestamp_ms": int(timestamp), "part": int(part.lstrip("-")) if part else None,
        "kind": kind.lower(), "gzip": packed is not None,
    }  # fmt: skip


def default_name_result(given: Mapping[str, Any]) -> str:
    """Answer to a `default_name` object of the batch form."""
    delivery = Delivery(
        sync_type=given["method"].lower(), sync_mode=given["mode"], order_id=given["destination_id"], dpid="",
        master_dpid=given["master_dpid"], pid="", pid_alias=given.get("pid_alias"), ts_ms=given["timestamp_ms"],
        part=given.get("part"),
    )  # fmt: skip
    return default_name(delivery, bool(given.get("gzip")))
