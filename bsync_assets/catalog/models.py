"""What can be declared: one frozen model per kind of item, its defaults, and what one field alone may hold.

Not here: reading YAML (`load`) and everything that takes two fields or two items to judge (`checks`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

#: Namespaces that exist for every account and are never declared: platform UUID, ECID and the global device
#: namespaces. IDS-03, IDS-04, IDS-13 to IDS-20.
SHARED_NAMESPACES = frozenset({0, 4, 20914, 20915, 121963, 389146, 963906, 488258, 1171485, 1171489})


def _only(pattern: str, expected: str) -> AfterValidator:
    """A validator for text that must match `pattern` as a whole; `expected` says so in words."""
    whole = re.compile(pattern)

    def check(text: str) -> str:
        if whole.fullmatch(text) is None:
            raise ValueError(expected)
        return text

    return AfterValidator(check)


def _refuse_current_auth(value: object) -> object:
    if value == "current_auth":
        raise ValueError("a merge rule of daily runs; current_auth works in real time only (SEG-005)")
    return value


# Names go into mail headers and file lists, so they stay on one line. 255 characters: TRT-010, SEG-028.
Name = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]
Text = Annotated[str, Field(min_length=1)]
Address = Annotated[str, _only(r"[^\s@<>,;]+@[^\s@<>,;]+", "an e-mail address like data@acme.example")]
Host = Annotated[str, _only(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d+)?", "a host name like acme.example")]
PartnerName = Annotated[str, _only(r"[a-z][a-z0-9_]{0,39}", "a name like acme, of [a-z][a-z0-9_]{0,39}")]


def _where(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if separator and scheme not in ("s3", "sftp"):
        raise ValueError("a folder, or an address that begins with s3:// or sftp://")
    if separator and "@" in rest and ":" in rest.partition("@")[0]:
        raise ValueError("an address without a password; let ?password_env= name the environment variable that has it")
    return text


#: A folder of the workspace, or an address as `transport.places` takes it.
Where = Annotated[str, Field(min_length=1), AfterValidator(_where)]

ID = Annotated[int, Field(ge=1, le=10**18 - 1)]  # what an inbound line can name: up to 18 digits (INB-60)
Dpid = Annotated[int, Field(ge=1, le=10**10 - 1)]  # up to 10 digits (IDS-06)
Namespace = Annotated[int, Field(ge=0, le=10**10 - 1)]  # a DPID, or 0 for the platform's own IDs
Size = Annotated[int, Field(ge=1, le=10**15)]
Days = Annotated[int, Field(ge=0, le=36_500)]  # a century at most, so that no date runs out of range

# The four pairs of export control (on a source) and label (on a destination). OUT-020.
ExportCode = Literal["pii", "onsite_ads", "offsite_ads", "onsite_personalization"]


class _Item(BaseModel):
    # Strict, because a quoted number or a `yes` for a name is a slip of the pen that deserves a sentence.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Account(_Item):
    """Who we are; `start` is the first daily partition (a UTC day)."""

    name: Annotated[Name, Field(min_length=1)]
    pid: ID
    start: date


class MailSettings(_Item):
    """How receipts leave: into a Maildir under the workspace, or through an SMTP server.

    `sender` is written `from` in YAML. The password itself is only in the environment, under `password_env`.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    transport: Literal["maildir", "smtp"] = "maildir"
    path: Text = "mail"
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    starttls: bool = False
    user: Text | None = None
    password_env: Text | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    sender: Address = Field(default="bsync@localhost", validation_alias="from")
    ops: tuple[Address, ...] = ()


class PgpSettings(_Item):
    """Where the private key for `.pgp` and `.gpg` files is (INB-24): `key_env` names an environment variable with the armored key
    or its path; without it, `key_file` is the path. The passphrase, if it has one, is in the variable `passphrase_env`.
    """

    key_file: Text | None = None
    key_env: Text | None = None
    passphrase_env: Text | None = None


class Limits(_Item):
    """What one file may ask of us, and one partner in a day. Bytes, seconds; the ratio is expanded to packed size."""

    packed_bytes: Size = 3 << 30  # INB-31
    plain_bytes: Size = 5 << 30  # INB-32
    expanded_bytes: Size = 20 << 30  # the safety limit of INB-32
    expanded_ratio: Size = 250  # counts beyond 256 MiB
    files_per_day: Size = 50_000
    seconds_per_file: Annotated[float, Field(gt=0)] = 3600.0


class ServeSettings(_Item):
    """The HTTP service. `vendor_id` is our number in the consent framework (PRV-015); `denied_ids`, written `dpid:id`, are never
    synced (IDS-98).
    """

    vendor_id: ID = 565
    denied_ids: tuple[Annotated[str, _only(r"(0|[1-9][0-9]{0,9}):.+", "an ID like 1001:abc")], ...] = ()


class Retention(_Item):
    """How long what is kept, in days; months count as 30 (PRV-043 to PRV-04D)."""

    inbound_files_days: Days = 30
    outbound_files_days: Days = 8
    raw_rows_days: Days = 60
    figures_days: Days = 390
    event_log_days: Days = 90  # of Dagster


class Settings(_Item):
    """`bsync.yaml`. `inbox` and `outbox` are folders of the workspace or URLs; `late_days` in days."""

    account: Account
    inbox: Where = "inbox"
    outbox: Where = "outbox"
    mail: MailSettings = MailSettings()
    late_days: Days = 7
    serve: ServeSettings = ServeSettings()
    pgp: PgpSettings = PgpSettings(key_file="keys/platform.asc", key_env="BSYNC_PGP_KEY", passphrase_env="BSYNC_PGP_PASSPHRASE")
    limits: Limits = Limits()
    retention: Retention = Retention()


class Sync(_Item):
    """HTTP ID sync with a partner: the URL we call, and the hosts we may redirect to."""

    url: Annotated[str, _only(r"https?://\S+", "an address that starts with https:// or http://")]
    redirect_hosts: tuple[Host, ...] = ()
    vendor_id: ID | None = None


class Partner(_Item):
    """A company we exchange with. `access` = data sources of others that it may use and target (INB-17).

    `inbox` and `pgp` are there if this partner's files come in elsewhere or are encrypted to another key than those of the rest.
    """

    name: PartnerName
    id: ID
    contacts: tuple[Address, ...] = ()
    access: tuple[Dpid, ...] = ()
    sync: Sync | None = None
    inbox: Where | None = None
    pgp: PgpSettings | None = None


class DataSource(_Item):
    """A namespace of user IDs and owner of traits (IDS-07, IDS-08). `owner` None = the account itself.

    `hold_removals_over` = the share of its traits' memberships that one overwrite may take away without being looked at; 1 = all.
    """

    id: Namespace
    name: Name = ""
    owner: str | None = None
    type: Literal["cookie", "device", "cross_device"] = "cookie"
    key: Literal["customer", "aam", "ecid"] = "customer"
    label: Literal["hashed_email"] | None = None
    integration_code: Annotated[str, _only(r"[^\x00-\x1f\x7f]{1,255}", "text on one line")] | None = None
    case: Literal["insensitive", "sensitive"] = "insensitive"
    keep_unmatched_days: Days = 30
    controls: tuple[ExportCode, ...] = ()
    hold_removals_over: Annotated[float, Field(ge=0, le=1)] = 0.5


class Trait(_Item):
    """A trait (TRT-010). `ttl_days` 0 = for ever (TRT-080); `contains` = what a folder holds, folders too."""

    id: ID
    name: Name = ""
    data_source: Dpid
    kind: Literal["onboarded", "rule", "folder", "algorithmic"] = "onboarded"
    rule: str | None = None
    ttl_days: Days = 120
    contains: tuple[ID, ...] = ()


class Segment(_Item):
    """A segment (SEG-028). `merge_sources` = the cross-device data sources its merge rule uses (SEG-005).

    `merge_controls` = export controls of that merge rule (OUT-020). `integration_code` names the segment to destinations that
    give no value of their own (OUT-004), `legacy_id` where a template asks for it (OUT-050).
    """

    id: ID
    name: Name = ""
    data_source: Dpid | None = None
    rule: str
    status: Literal["active", "paused", "deleted"] = "active"
    merge_rule: Annotated[
        Literal["device", "last_auth_device", "profile_link", "all_cross_device"],
        BeforeValidator(_refuse_current_auth),
    ] = "device"
    merge_sources: tuple[Dpid, ...] = ()
    merge_controls: tuple[ExportCode, ...] = ()
    integration_code: Text | None = None
    legacy_id: ID | None = None


class Mapping(_Item):
    """A segment sent to a destination: `start` inclusive, `end` exclusive, both UTC days (OUT-003).

    `value` None = the segment's integration code, or else its ID (OUT-004).
    """

    id: ID
    value: Text | None = None
    start: date | None = None
    end: date | None = None


class Destination(_Item):
    """Where segments go (OUT-001). Templates None = the default. `split_bytes`: uncompressed (OUT-080).

    `to` is a folder of the workspace or a URL; left out in YAML it is `<outbox>/<id>`. `full_on`: days of the week for which
    everything is sent, not only what changed (OUT-065).
    """

    id: ID
    name: Name = ""
    method: Literal["s3", "ftp", "http"] = "s3"
    dpid: Dpid
    master_dpid: Namespace = 0
    pid_alias: Annotated[str, _only(r"[A-Za-z0-9.-]{1,64}", "1 to 64 of A-Z a-z 0-9 . - (OUT-032)")] | None = None
    labels: tuple[ExportCode, ...] = ()
    segments: tuple[Mapping, ...] = ()
    to: Text
    file_name: str | None = None
    header: str | None = None
    content: str | None = None
    split_bytes: Annotated[int, Field(ge=1, le=10**12)] = 10**12
    gzip: bool = False
    full_on: tuple[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Everything declared in one workspace, without a mistake. Dicts in file order, not to be changed."""

    home: Path
    settings: Settings
    partners: dict[str, Partner]
    data_sources: dict[int, DataSource]
    traits: dict[int, Trait]
    segments: dict[int, Segment]
    destinations: dict[int, Destination]

    @cached_property
    def content_json(self) -> str:
        """The content as one line of JSON, defaults written out, items by key: same meaning, same text.

        The order of items, keys and comments in the YAML files does not show, nor where the workspace lies.
        """
        content = {
            "settings": self.settings.model_dump(mode="json"),
            "partners": _by_key(self.partners),
            "data_sources": _by_key(self.data_sources),
            "traits": _by_key(self.traits),
            "segments": _by_key(self.segments),
            "destinations": _by_key(self.destinations),
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of `content_json`, 64 hex digits."""
        return hashlib.sha256(self.content_json.encode()).hexdigest()


def _by_key(items: dict[Any, Any]) -> list[dict[str, Any]]:
    return [items[key].model_dump(mode="json") for key in sorted(items)]
