"""Figures in, messages out: receipts, notices of refused files, the page about figures that do not balance.

Everything here is a pure function: the same receipt gives the same bytes, so a retry cannot mail a second,
different message. Names chosen by partners are escaped visibly before they enter a block or a header.

What does not belong here: counting, how blocks are printed (`layout`), sending (`deliver`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default as default_policy
from email.utils import getaddresses
from hashlib import sha256

from bsync_assets.exchange.reasons import FILE_REASONS
from bsync_assets.exchange.receipts import EQUATIONS, Equation, Kind
from bsync_assets.mail.document import VERSION, left_out, receipt_json, rejected_csv
from bsync_assets.mail.layout import Block, Heading, Names, Paragraph, Table, as_html, as_text
from bsync_assets.mail.receipt import LABELS, Receipt, document_name, domain_of, message_id, target_of, visible

#: The documented fields end with the job times; the figures we added come after them (INB-122).
_LAST_BEFORE_JOB_TIMES = "records_with_failed_traits"


def receipt_mail(receipt: Receipt, sender: str, to: Sequence[str], account_name: str) -> EmailMessage:
    """The message for a balanced receipt or for refused files (INB-120 to INB-139, IDS-145 to IDS-147).

    Attached are the receipt as JSON and, of a receipt, its rejected lines as CSV.

    `sender` and `to` are addresses, with or without display name. Raises ValueError for a receipt that is not
    balanced: that one goes to operations only, as `fault_mail`.
    """
    if not receipt.balanced:
        raise ValueError(f"receipt of {receipt.partner}, {receipt.day} does not balance; use fault_mail")
    subject = f"Server-To-Server Processing Result: {_subject_key(receipt)} {visible(receipt.run_id)}"
    blocks = _refused_notice(receipt) if receipt.kind == "refused" else _receipt(receipt)
    head = _Head(message_id(receipt, sender, account_name), receipt.job_end, sender, to, account_name)
    name = document_name(receipt)
    attached = [(f"{name}.json", "application/json", receipt_json(receipt, sender, account_name))]
    if receipt.kind != "refused":
        attached.append((f"{name}.csv", "text/csv", rejected_csv(receipt)))
    return _message(head, subject, [*blocks, *_attached(receipt)], attached)


def fault_mail(receipt: Receipt, sender: str, ops: Sequence[str], account_name: str) -> EmailMessage:
    """The page to operations for a receipt whose figures do not balance; never for a partner's eyes.

    Raises ValueError for a balanced receipt.
    """
    if receipt.balanced:
        raise ValueError(f"receipt of {receipt.partner}, {receipt.day} balances; there is no fault to report")
    subject = f"Internal fault: figures do not balance: {_subject_key(receipt)} {visible(receipt.run_id)}"
    head = _Head(message_id(receipt, sender, account_name), receipt.job_end, sender, ops, account_name)
    return _message(head, subject, _fault(receipt))


@dataclass(frozen=True)
class DryRun:
    """What would happen to a file of a partner's test folder: the verdict, nothing stored. INB-07.

    `lines` = (line number, reason, rule, masked sample) of the first rejected lines, `left_out` = how many more there are.
    """

    kind: Kind
    partner: str
    file: str
    sha256: str
    arrived_at: datetime
    refused: str | None
    counters: Mapping[str, int]
    lines: Sequence[tuple[int, str, str, str]]
    left_out: int
    hints: Sequence[str]


def dry_run_mail(run: DryRun, sender: str, to: Sequence[str], account_name: str) -> EmailMessage:
    """The answer to a file in a test folder. The same file with the same content has the same Message-ID."""
    digest = sha256(json.dumps([account_name, run.partner, run.file, run.sha256]).encode()).hexdigest()[:16]
    identifier = f"<test.{re.sub(r'[^A-Za-z0-9_]', '_', run.partner)[:40]}.{digest}@{domain_of(sender)}>"
    blocks: list[Block] = [
        Paragraph(f"Hello partner {visible(run.partner)},"),
        Paragraph("this is a test: the file was read and judged as in a real run, and nothing of it is stored."),
        Heading("File name"),
        Names(((1, visible(run.file)),)),
    ]
    if run.refused is not None:
        blocks += [
            Heading(f"It would be refused: {visible(run.refused)}"),
            Paragraph(visible(_sentence(FILE_REASONS.get(run.refused, ("", run.refused))[1]))),
        ]
    shown = tuple((label, str(run.counters[name])) for name, label in LABELS[run.kind].items() if name in run.counters)
    if shown:
        blocks += [Heading("Result"), Table("lr", shown)]
    if run.lines:
        rows = tuple((str(number), reason, rule, visible(sample)[:80]) for number, reason, rule, sample in run.lines)
        blocks += [Heading("Rejected lines"), Table("rlll", rows, ("Line", "Reason", "Rule", "Sample, masked"))]
    if run.left_out:
        blocks.append(Paragraph(f"{run.left_out} more rejected lines are not shown."))
    if run.hints:
        blocks += [Heading("Hints"), *(Paragraph(visible(_sentence(hint))) for hint in run.hints)]
    head = _Head(identifier, run.arrived_at.replace(tzinfo=UTC), sender, to, account_name)
    return _message(head, f"Test: what would happen to {visible(run.file)}", blocks)


# --- composing ------------------------------------------------------------------------------------


def _receipt(receipt: Receipt) -> list[Block]:
    # The first step is what a receipt confirms; use of the data may take longer (INB-135).
    return [
        Paragraph(f"Hello {_greeted(receipt)},"),
        Paragraph(
            f"your files of {receipt.day}, batch {receipt.batch}, {_scope(receipt)}, were picked up and the "
            "first step is done. The data can be used within 48 hours after the upload. All times and "
            "days are UTC."
        ),
        *_revision(receipt),
        *_figures(receipt),
        *_balance(receipt),
        *_per_file(receipt),
        *_refused_files(receipt),
    ]


def _refused_notice(receipt: Receipt) -> list[Block]:
    return [
        Paragraph(f"Hello {_greeted(receipt)},"),
        Paragraph(
            f"the files below, of {receipt.day}, batch {receipt.batch}, were refused: nothing of them is "
            "processed or stored. Send them again once the reason given for each is removed. All times and "
            "days are UTC."
        ),
        *_revision(receipt),
        *_refused_files(receipt),
        Table("lr", _times(receipt, "First of them arrived", "Last of them arrived")),
    ]


def _fault(receipt: Receipt) -> list[Block]:
    partner = visible(receipt.partner)
    blocks: list[Block] = [
        Paragraph("Internal fault: figures do not balance."),
        Paragraph(
            f"The receipt of {partner} for {receipt.day}, batch {receipt.batch}, "
            f"revision {receipt.revision}, {_scope(receipt)}, was not sent. The partner's data is not the "
            "cause: every line must be counted exactly once."
        ),
        Paragraph(
            f"What to do: run the day again (bsync run --day {receipt.day} --partner {partner}). If the "
            "figures still differ, keep the files of the batch and report this message as a fault of the "
            "program."
        ),
        Heading("Both sides"),
    ]
    labels = LABELS[receipt.kind]
    for equation in EQUATIONS[receipt.kind]:
        stated, counted = receipt.counters[equation.result], equation.right_side(receipt.counters)
        verdict = "equal" if stated == counted else f"they differ by {stated - counted:+d}"
        sides = f"{labels[equation.result]}: the receipt says {stated}, the sum gives {counted}: {verdict}."
        blocks += [Table("rrl", _sum_rows(equation, receipt, counted)), Paragraph(sides)]
    accepted = [file for file in receipt.files if file.reject_reason is None]
    sums = {name: sum(file.counters[name] for file in accepted) for name in _terms(receipt)}
    uneven = tuple(
        (labels[name], str(receipt.counters[name]), str(total))
        for name, total in sums.items()
        if accepted and total != receipt.counters[name]
    )
    if uneven:  # INB-137
        blocks.append(Heading("Receipt and sum of its files"))
        blocks.append(Table("lrr", uneven, ("", "Receipt", "Sum of files")))
    return [*blocks, *_figures(receipt), *_per_file(receipt)]


def _figures(receipt: Receipt) -> list[Block]:
    """Names, figures and job times in the documented order, then what we added, always (INB-122, INB-134)."""
    rows: list[tuple[str, str]] = []
    for name, label in LABELS[receipt.kind].items():
        rows.append((label, str(receipt.counters[name])))
        if name == _LAST_BEFORE_JOB_TIMES:
            rows += _times(receipt, *_JOB_TIMES)
    if receipt.kind == "id_sync":
        rows += _times(receipt, *_JOB_TIMES)
    return [Heading("File name"), Names(_accepted(receipt)), Heading("Result"), Table("lr", tuple(rows))]


_JOB_TIMES = ("Job start time", "Job end time")


def _times(receipt: Receipt, start: str, end: str) -> tuple[tuple[str, str], ...]:
    def shown(moment: datetime) -> str:
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

    return (start, shown(receipt.job_start)), (end, shown(receipt.job_end))


def _balance(receipt: Receipt) -> list[Block]:
    rows: tuple[tuple[str, str, str], ...] = ()
    for equation in EQUATIONS[receipt.kind]:
        # The second sum starts from the result of the first: that line is printed once.
        rows += _sum_rows(equation, receipt, receipt.counters[equation.result])[1 if rows else 0 :]
    return [Heading("How the records add up"), Table("rrl", rows)]


def _sum_rows(equation: Equation, receipt: Receipt, result: int) -> tuple[tuple[str, str, str], ...]:
    labels = LABELS[receipt.kind]
    return (
        ("", str(receipt.counters[equation.start]), labels[equation.start]),
        *(("-", str(receipt.counters[name]), labels[name]) for name in equation.less),
        ("=", str(result), labels[equation.result]),
    )


def _terms(receipt: Receipt) -> tuple[str, ...]:
    """Every counter of the equations once, in the order of the sum."""
    return tuple(dict.fromkeys(name for equation in EQUATIONS[receipt.kind] for name in equation.terms))


def _per_file(receipt: Receipt) -> list[Block]:
    """The sums of each file, where there is more than one; columns that are 0 throughout are left out."""
    accepted = [file for file in receipt.files if file.reject_reason is None]
    if len(accepted) < 2:
        return []
    always = ("records_received", "stored_records")  # first, so that a phone shows them without scrolling
    others = [name for name in _terms(receipt) if name not in always]
    shown = [*always, *(name for name in others if any(file.counters[name] for file in accepted))]
    lines = [(str(number), file.counters) for number, file in enumerate(accepted, start=1)]
    lines.append(("all", receipt.counters))
    rows = [(line, *(str(counters[name]) for name in shown)) for line, counters in lines]
    head = ("File", *(LABELS[receipt.kind][name] for name in shown))
    return [
        Heading("Per file"),
        Paragraph("Files are numbered as under File name. A column that is 0 for every file is left out."),
        Table("r" * len(head), tuple(rows), head),
    ]


def _refused_files(receipt: Receipt) -> list[Block]:
    """Refused files by reason: the code, what it means, what to do, and the names (INB-136)."""
    groups: dict[tuple[str, str | None, str | None], list[str]] = {}
    for file in receipt.files:
        if file.reject_reason is not None:
            groups.setdefault((file.reject_reason, file.problem, file.remedy), []).append(visible(file.name))
    blocks: list[Block] = []
    for (code, problem, remedy), names in groups.items():
        texts = (problem or FILE_REASONS.get(code, ("", ""))[1], f"What to do: {remedy}" if remedy else "")
        blocks.append(Heading(f"Refused: {visible(code)}"))
        blocks += [Paragraph(visible(_sentence(text))) for text in texts if text]
        blocks.append(Names(tuple(enumerate(names, start=1))))
    return blocks


def _attached(receipt: Receipt) -> list[Block]:
    """What comes with the message, and what was left out of it."""
    name = document_name(receipt)
    texts = [f"{name}.json: all of this for programs, in the form {VERSION}."]
    if receipt.kind != "refused":
        count, rest = len(receipt.lines), left_out(receipt)
        lines = f"{count} of {count + rest} lines that were not stored, {rest} are left out"
        lines = lines if rest else f"the {count} lines that were not stored"
        of_each = "; number and reason of each, samples masked."
        texts.append(f"{name}.csv: {lines}{of_each}" if count + rest else f"{name}.csv: empty, for every line was stored.")
    texts.append("Next to each file lies a copy for that file, <name>.receipt.json.")
    return [Heading("Attached"), *map(Paragraph, texts)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def _revision(receipt: Receipt) -> list[Block]:
    """What another revision changes, and why."""
    if receipt.revision < 2:
        return []
    before = receipt.revision - 1
    why = f" {visible(receipt.why)}" if receipt.why else ""
    blocks: list[Block] = [
        Heading(f"Revision {receipt.revision}"),
        Paragraph(f"This message replaces revision {before}.{why}"),
    ]
    if receipt.previous is not None:
        changed = tuple(
            (label, str(receipt.previous.get(name, "-")), str(receipt.counters[name]))
            for name, label in LABELS[receipt.kind].items()
            if receipt.previous.get(name) != receipt.counters[name]
        )
        if changed:
            head = ("Changed", f"Revision {before}", f"Revision {receipt.revision}")
            blocks.append(Table("lrr", changed, head))
    return blocks


def _accepted(receipt: Receipt) -> tuple[tuple[int, str], ...]:
    names = [visible(file.name) for file in receipt.files if file.reject_reason is None]
    return tuple(enumerate(names, start=1))


def _scope(receipt: Receipt) -> str:
    match receipt.kind:
        case "data":
            return f"source {receipt.dpid}, target {target_of(receipt)}"
        case "id_sync":
            return f"ID sync of {', '.join(map(str, receipt.dpids))}"
        case "refused":
            return "refused files"


def _greeted(receipt: Receipt) -> str:
    # The partner ID of the documented greeting is the DPID of the file names (INB-121, INB-139).
    partner = visible(receipt.partner)
    return f"partner {receipt.dpid} ({partner})" if receipt.kind == "data" else f"partner {partner}"


def _subject_key(receipt: Receipt) -> str:
    match receipt.kind:
        case "data":
            return f"{receipt.dpid}/{target_of(receipt)}"
        case "id_sync":
            return "/".join(map(str, receipt.dpids))
        case "refused":
            return f"{visible(receipt.partner)} refused files"


# --- message --------------------------------------------------------------------------------------

# Bodies and headers leave as plain ASCII: no server on the way has to know 8BITMIME.
_POLICY = default_policy.clone(cte_type="7bit")
# The library folds a long header right behind its name, which some programs take for an empty header; so
# headers stay on one line as far as SMTP allows, except encoded words, which 75 characters must hold.
_LINE_LIMIT = 998  # of SMTP, without the line end
_UNFOLDED = _POLICY.clone(max_line_length=_LINE_LIMIT)
_HEADER_LIMIT = 200  # characters of one free part of the subject


@dataclass(frozen=True)
class _Head:
    identifier: str
    date: datetime  # not the time of sending: a retry gives the same bytes
    sender: str
    to: Sequence[str]
    account_name: str


#: Name, media type and content of a file that comes with a message.
_Attached = tuple[str, str, bytes]


def _message(head: _Head, subject: str, blocks: Sequence[Block], attached: Sequence[_Attached] = ()) -> EmailMessage:
    title = _header_text(f"{visible(head.account_name)[:_HEADER_LIMIT]} {subject[:_HEADER_LIMIT]}")
    message = EmailMessage(policy=_UNFOLDED if title.isascii() else _POLICY)
    message["Message-ID"] = head.identifier
    message["Date"] = head.date.astimezone(UTC)
    message["From"] = _addresses([head.sender])
    if head.to:
        message["To"] = _addresses(head.to)
    message["Subject"] = title
    message["Auto-Submitted"] = "auto-generated"  # keeps vacation replies away
    message["MIME-Version"] = "1.0"
    text, page = as_text(blocks), as_html(title, blocks)
    message.make_alternative()
    for subtype, content in (("plain", text), ("html", page)):
        # As it is where SMTP allows, so that the stored file can be searched; else as the library sees fit.
        plain = content.isascii() and max(map(len, content.splitlines())) <= _LINE_LIMIT
        part = EmailMessage(policy=_POLICY)
        part.set_content(content, subtype=subtype, cte="7bit" if plain else None)
        message.attach(part)
    # The library's boundary is random. One made of the content cannot be foreseen by who chose a name in it.
    seed = sha256((message["Message-ID"] + text + page).encode()).hexdigest()
    message.set_boundary(f"bsync-{seed[:32]}")
    for name, media_type, data in attached:
        main, _, sub = media_type.partition("/")
        charset = {"charset": "utf-8"} if main == "text" else None
        message.add_attachment(data, main, sub, filename=name, params=charset)
    if attached:
        message.set_boundary(f"bsync-{seed[32:]}")
    return message


def _header_text(text: str) -> str:
    # "=?" would start an encoded word, which the header parser decodes, line ends included.
    return " ".join(text.replace("=?", "=\\x3f").split())


def _addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    return tuple(Address(display_name=name, addr_spec=address) for name, address in getaddresses(list(texts)))
