"""What to do next: the sentences that the day's figures call for, most urgent first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bsync_assets.catalog.models import Catalog
from bsync_assets.exchange.reasons import FILE_REASONS

#: Signals that a rule nearly used are worth a word if so many users sent them.
USERS = 100


@dataclass(frozen=True)
class Advice:
    """One thing to look at; `command` is what helps, typed as it stands."""

    urgency: Literal["bad", "warn"]
    text: str
    command: str = ""


def advice(catalog: Catalog, found: Mapping[str, Any]) -> list[Advice]:
    """What the rows of the report call for; nothing: all is well."""
    given = (_of_receipts(found), _of_deliveries(catalog, found), _of_files(catalog, found), _of_figures(catalog, found))
    return sorted((one for some in given for one in some), key=lambda one: one.urgency != "bad")


def _of_receipts(found: Mapping[str, Any]) -> Iterator[Advice]:
    for receipt in found["receipts"]:
        if not receipt["balanced"]:
            text = f"The receipt {receipt['receipt']} of {receipt['partner']} does not add up and was not sent."
            yield Advice("bad", text, f"bsync run --day {receipt['day']} --partner {receipt['partner']}")
    if found["unsent"]:
        errors = sorted({mail["last_error"] for mail in found["unsent"] if mail["last_error"]})
        why = f" The mail server said: {errors[0]}" if errors else ""
        yield Advice("bad", f"{len(found['unsent'])} messages are not sent.{why}", "bsync status")


def _of_deliveries(catalog: Catalog, found: Mapping[str, Any]) -> Iterator[Advice]:
    for delivery in found["deliveries"]:
        number = delivery["destination"]
        name = f"{number} {catalog.destinations[number].name}" if number in catalog.destinations else f"{number}"
        what = f"The delivery of {delivery['day']} to {name}"
        if delivery["status"] == "held":
            text = f"{what} is held: {delivery['why']}. If it is right, let it go."
            yield Advice("bad", text, f"bsync release {number}")
        elif delivery["status"] == "failed":
            yield Advice("bad", f"{what} failed: {delivery['why']}. The next run tries it again.")
    if found["blocks"]:
        segments = ", ".join(f"{segment}" for segment in sorted({block["segment_id"] for block in found["blocks"]}))
        yield Advice("warn", f"Mappings of these segments were not sent, because an export control forbids it: {segments}.")


def _of_files(catalog: Catalog, found: Mapping[str, Any]) -> Iterator[Advice]:
    for partner in found["partners"]:
        if partner["is_missing"]:
            contacts = ", ".join(catalog.partners[partner["partner"]].contacts)
            ask = f" Ask {contacts}." if contacts else ""
            yield Advice("warn", f"{partner['partner']} sent nothing; its last files are of {partner['last_sent']}.{ask}")
    for file in found["refused"]:
        if file["status"] == "held":
            name = f"{file['partner']}/{file['key'].rpartition('/')[2]}"
            yield Advice(
                "bad", f"{name} is held: it would take away an unusual share. If it is right, let it go.", f"bsync release {name}"
            )
        elif file["status"] == "refused":
            _, remedy = FILE_REASONS.get(file["reject_reason"], ("", file["reject_reason"]))
            yield Advice("warn", f"A file of {file['partner']} was refused, {file['key'].rpartition('/')[2]}: {remedy}.")


def _of_figures(catalog: Catalog, found: Mapping[str, Any]) -> Iterator[Advice]:
    for outlier in found["outliers"]:
        what = "records" if outlier["figure"] == "records_received" else "per cent of IDs matched"
        usual = f"{outlier['low']:,.0f} to {outlier['high']:,.0f}"
        yield Advice("warn", f"{outlier['partner']} {outlier['dpid']}: {outlier['value']:,.0f} {what}, {usual} are usual.")
    for near in found["near"][:1]:
        if near["users"] >= USERS and near["trait_id"] in catalog.traits:
            trait = catalog.traits[near["trait_id"]]
            sent = f"{near['users']:,} users of {near['partner']} sent the key {near['key']} in a form"
            yield Advice("warn", f"{sent} that the rule of trait {trait.id} {trait.name} misses: {trait.rule}.")
