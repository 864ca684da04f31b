"""What a message reports: the figures of a receipt or the files that were refused, and the Message-ID that its key decides.

Not here: wording (`render`), the forms for programs (`document`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parseaddr
from hashlib import sha256
from typing import NamedTuple, Protocol

from bsync_assets.exchange.reasons import DATA_COUNTERS, SYNC_COUNTERS
from bsync_assets.exchange.receipts import EQUATIONS, Kind

#: The figures of each kind in print order. The labels are neutral: "Invalid platform ID" and "No matching ID"
#: are what the documented message calls by its product's name (`invalid_aam_id`, `no_matching_aam_id`).
LABELS: dict[Kind, dict[str, str]] = {
    "data": {counter.name: counter.label for counter in DATA_COUNTERS},
    "id_sync": {counter.name: counter.label for counter in SYNC_COUNTERS},
    "refused": {},
}


@dataclass(frozen=True)
class FileLine:
    """One file of a receipt. A refused file has a `reject_reason` and needs no counters."""

    name: str  # the key as received
    counters: Mapping[str, int]
    reject_reason: str | None = None
    problem: str | None = None  # one sentence; without it the general meaning of the code is printed
    remedy: str | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)  # reason code -> lines that were not stored


class RejectedLine(NamedTuple):
    """A line that was received but not stored; lines that break a rule have a sample, masked."""

    file: str
    number: int
    reason: str
    sample: str | None


@dataclass(frozen=True)
class Receipt:
    """What one message reports: a partner's batch, by source and target or DPID list, or its refused files.

    Raises ValueError for what only a fault of ours can produce: a counter that is missing (the receipt has
    all of its kind, each accepted file at least those of `EQUATIONS`), or job times without a time zone.
    """

    kind: Kind
    day: date
    partner: str
    dpid: int
    target: int | None  # data only; None: the same as `dpid`
    dpids: tuple[int, ...]  # ID sync only, in the order of the name
    batch: int
    revision: int
    run_id: str
    counters: Mapping[str, int]
    files: tuple[FileLine, ...]
    previous: Mapping[str, int] | None  # the figures of the revision before
    why: str | None  # why there is another revision
    job_start: datetime
    job_end: datetime
    balanced: bool
    lines: tuple[RejectedLine, ...] = ()  # of the rejected lines those that are listed, in the order of files and lines

    def __post_init__(self) -> None:
        needed = {term for equation in EQUATIONS[self.kind] for term in equation.terms}
        faults = [f"counter {name} is missing" for name in LABELS[self.kind] if name not in self.counters]
        for file in self.files:
            if file.reject_reason is None:
                missing = needed - file.counters.keys()
                faults += [f"counter {name} of file {file.name!r} is missing" for name in sorted(missing)]
        for name, value in (("job_start", self.job_start), ("job_end", self.job_end)):
            if value.tzinfo is None:
                faults.append(f"{name} has no time zone")
        if faults:
            raise ValueError(f"receipt ({self.kind}) of {self.partner}, {self.day}: {'; '.join(faults)}")


_ID_PREFIXES: dict[Kind, str] = {"data": "receipt", "id_sync": "sync", "refused": "refused"}


class Key(Protocol):
    """What tells one message from all others: a `Receipt` has it, and so has whatever remembers messages."""

    @property
    def kind(self) -> Kind: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def partner(self) -> str: ...  # noqa: D102
    @property
    def dpid(self) -> int: ...  # noqa: D102
    @property
    def target(self) -> int | None: ...  # noqa: D102
    @property
    def dpids(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102
    @property
    def revision(self) -> int: ...  # noqa: D102
    @property
    def balanced(self) -> bool: ...  # noqa: D102


def message_id(receipt: Key, sender: str, account_name: str) -> str:
    """The Message-ID, made of the receipt's key alone, so that a retry never mails twice (INB-138).

    The digest makes it unique, the part before it is for people. The page about an unbalanced receipt has an
    ID of its own: the receipt that follows once the fault is mended must not count as already sent.
    """
    prefix = _ID_PREFIXES[receipt.kind] if receipt.balanced else "fault"
    key = [
        account_name,
        receipt.partner,
        receipt.day.isoformat(),
        prefix,
        receipt.kind,
        receipt.dpid,
        receipt.target,
        receipt.dpids,
        receipt.batch,
        receipt.revision,
    ]
    digest = sha256(json.dumps(key).encode()).hexdigest()[:16]
    ids = f".{receipt.dpid}-{target_of(receipt)}" if receipt.kind == "data" else ""
    return f"<{_readable(receipt, prefix, ids)}.{digest}@{domain_of(sender)}>"


def document_name(receipt: Key) -> str:
    """A name for files that hold this receipt, without ending; fit for any file system."""
    ids = {"data": f".{receipt.dpid}-{target_of(receipt)}", "id_sync": f".{'-'.join(map(str, receipt.dpids))}", "refused": ""}
    return _readable(receipt, _ID_PREFIXES[receipt.kind], ids[receipt.kind])


def _readable(receipt: Key, prefix: str, ids: str) -> str:
    partner = re.sub(r"[^A-Za-z0-9_]", "_", receipt.partner)[:40]
    return f"{prefix}.{receipt.day}.{partner}{ids}.b{receipt.batch}.r{receipt.revision}"


def domain_of(sender: str) -> str:
    """The domain of an address, fit for a Message-ID."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", domain) else "bsync.invalid"


def target_of(receipt: Key) -> int:
    """The data source whose traits the files may change: unless named, that of the user IDs (INB-15)."""
    return receipt.dpid if receipt.target is None else receipt.target


def visible(text: str) -> str:
    """`text` on one line, with everything that does not print written as an escape: control characters, line
    ends, marks that turn the writing direction, stray surrogates; a backslash is doubled, so that an escape
    and the same characters in a name stay apart."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        letter if letter.isprintable() and letter != "\\" else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
