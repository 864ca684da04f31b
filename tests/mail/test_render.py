"""What the messages say, that their sums add up, and that no name can break out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bsync_assets.exchange.receipts import EQUATIONS, Kind
from bsync_assets.mail.receipt import FileLine, Receipt, message_id
from bsync_assets.mail.render import fault_mail, receipt_mail

SENDER = "no-reply@northwind.example"
TO = ["ops@northwind.example", "data@acme.example"]
ACCOUNT = "Northwind Outdoor"
HEADERS = ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]
ReceiptOf = Callable[..., Receipt]


def text_of(message: EmailMessage) -> str:
    return part(message, "plain")


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def section(text: str, heading: str) -> list[str]:
    """The lines below a heading, up to the next one."""
    below = text.split(f"{heading}\n{'-' * len(heading)}\n\n")[1]
    return re.split(r"\n\n.*\n-+\n\n", below)[0].splitlines()


def sent(message: EmailMessage) -> EmailMessage:
    """The message as a receiving program reads it."""
    return BytesParser(EmailMessage, policy=default).parsebytes(message.as_bytes())


class Page(HTMLParser):
    """Tags with attribute names, and the text of every element that holds text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open = tag
        if tag in ("li", "td", "p"):
            self.texts.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self._open in ("li", "td", "p"):
            self.texts[-1] = (self._open, self.texts[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def corrected(receipt_of: ReceiptOf) -> Receipt:
    receipt = receipt_of()
    refused = FileLine(
        "acme/date=2026-01-05/ftp_dpm_1001_1002_1767571299.sync.gz",
        {},
        "bad_gzip",
        "the stream ends after 1033 bytes",
        "send it again in binary mode",
    )
    previous = {**receipt.counters, "stored_records": 985, "no_matching_aam_id": 195}
    why = "The ID links of 2026-01-04 were corrected."
    return replace(receipt, revision=2, previous=previous, why=why, files=(*receipt.files, refused))


def test_receipt_text(receipt_of: ReceiptOf) -> None:
    """The whole message as kept in receipt.txt: two files, a refused one, second revision."""
    message = receipt_mail(corrected(receipt_of), SENDER, TO, ACCOUNT)
    headers = "".join(f"{name}: {value}\n" for name, value in message.items() if name != "Content-Type")
    assert f"{headers}\n{text_of(message)}" == (Path(__file__).parent / "receipt.txt").read_text("utf-8")


def test_inb_122_fields_in_documented_order_then_ours(receipt_of: ReceiptOf) -> None:
    text = text_of(receipt_mail(receipt_of(), SENDER, TO, ACCOUNT))
    assert text.index("File name") < text.index("Records received")
    assert [re.split(r"\s{2,}", line)[0] for line in section(text, "Result")] == [
        "Records received",
        "Format errors",
        "Invalid platform ID",
        "No matching ID",
        "No trait realized",
        "Records processed",
        "Stored records",
        "Total devices",
        "Total signals",
        "Total unused signals",
        "Total realized traits",
        "Total removed traits",
        "Total traits failed validation",
        "Total users that have traits which failed validation",
        "Job start time",
        "Job end time",
        "Invalid device ID",
        "Opted out",
        "Lines over length",
        "Lines over user limit",
        "Dropped inactive",
        "Stored unmatched",
    ]


def test_ids_146_figures_of_a_sync_receipt(receipt_of: ReceiptOf) -> None:
    message = receipt_mail(receipt_of("id_sync"), SENDER, TO, ACCOUNT)
    assert [tuple(re.split(r"\s{2,}", line)) for line in section(text_of(message), "Result")] == [
        ("Records received", "50"),
        ("Lines over length", "1"),
        ("Records processed", "49"),
        ("Format errors", "4"),
        ("Invalid platform ID", "3"),
        ("Invalid device ID", "2"),
        ("No matching ID", "1"),
        ("Opted out", "5"),
        ("Stored records", "34"),
        ("New links", "20"),
        ("Refreshed links", "14"),
        ("Evicted links", "6"),
        ("Job start time", "2026-01-06 05:00:02"),
        ("Job end time", "2026-01-06 05:00:49"),
    ]
    assert message["Subject"] == f"{ACCOUNT} Server-To-Server Processing Result: 0/1001 5f0c2a9e"


@pytest.mark.parametrize("kind", ["data", "id_sync"])
@given(data=st.data())
def test_inb_124_inb_125_ids_147_the_printed_sum_adds_up(kind: Kind, receipt_of: ReceiptOf, data: st.DataObject) -> None:
    """Whatever the figures: working out the printed sum line by line meets every printed result."""
    first, second = EQUATIONS[kind]
    counters = dict(receipt_of(kind).counters)
    free = (*first.less, *second.less, second.result)
    counters |= {name: data.draw(st.integers(0, 10**12), name) for name in free}
    counters[first.result] = counters[second.result] + sum(counters[name] for name in second.less)
    counters[first.start] = counters[first.result] + sum(counters[name] for name in first.less)
    receipt = replace(receipt_of(kind), counters=counters)
    lines = section(text_of(receipt_mail(receipt, SENDER, TO, ACCOUNT)), "How the records add up")
    assert len(lines) == 1 + len(first.less) + 1 + len(second.less) + 1
    worked_out = int(lines[0].split()[0])
    for line in lines[1:]:
        sign, figure, _ = line.split(maxsplit=2)
        if sign == "-":
            worked_out -= int(figure)
        else:
            assert (sign, int(figure)) == ("=", worked_out)
    assert worked_out == counters["stored_records"]


def test_inb_134_job_times_are_utc(receipt_of: ReceiptOf) -> None:
    tokyo = timezone(timedelta(hours=9))
    receipt = receipt_of(job_end=datetime(2026, 1, 6, 14, 7, 8, tzinfo=tokyo))
    message = receipt_mail(receipt, SENDER, TO, ACCOUNT)
    assert re.search(r"^Job end time +2026-01-06 05:07:08$", text_of(message), re.MULTILINE)
    assert sent(message)["Date"].datetime == receipt.job_end


def test_inb_137_one_row_per_file_and_their_sum(receipt_of: ReceiptOf) -> None:
    table = section(text_of(receipt_mail(receipt_of(), SENDER, TO, ACCOUNT)), "Per file")
    rows = [line.split() for line in table if re.match(r" *(\d+|all) ", line)]
    assert rows == [
        ["1", "1204", "900", "1", "3", "1200", "12", "8", "180", "100"],
        ["2", "100", "90", "0", "0", "100", "0", "0", "10", "0"],
        ["all", "1304", "990", "1", "3", "1300", "12", "8", "190", "100"],
    ]


def test_inb_137_no_table_for_a_single_file(receipt_of: ReceiptOf) -> None:
    assert "Per file" not in text_of(receipt_mail(receipt_of("id_sync"), SENDER, TO, ACCOUNT))


def test_inb_139_subject_greeting_and_sender(receipt_of: ReceiptOf) -> None:
    message = sent(receipt_mail(receipt_of(), SENDER, TO, ACCOUNT))
    assert message["Subject"] == f"{ACCOUNT} Server-To-Server Processing Result: 1001/1002 5f0c2a9e"
    assert text_of(message).startswith("Hello partner 1001 (acme),\n")
    assert message["From"] == SENDER
    assert [address.addr_spec for address in message["To"].addresses] == TO


def test_inb_139_subject_stands_on_one_line(receipt_of: ReceiptOf) -> None:
    account = "A company with a name so long that the line is too long"
    raw = receipt_mail(receipt_of(), SENDER, TO, account).as_bytes().decode()
    result = "Server-To-Server Processing Result: 1001/1002 5f0c2a9e"
    assert f"\nSubject: {account} {result}\n" in raw


def test_stored_message_can_be_searched(receipt_of: ReceiptOf) -> None:
    receipt = receipt_of()
    raw = receipt_mail(receipt, SENDER, TO, ACCOUNT).as_bytes().decode("ascii")
    assert all(raw.count(file.name) == 2 for file in receipt.files)  # text and HTML


def test_inb_139_without_a_target_the_target_is_the_source(receipt_of: ReceiptOf) -> None:
    message = receipt_mail(receipt_of(dpid=0, target=None), SENDER, TO, ACCOUNT)
    assert message["Subject"] == f"{ACCOUNT} Server-To-Server Processing Result: 0/0 5f0c2a9e"


def test_inb_136_refused_files_by_reason(receipt_of: ReceiptOf) -> None:
    message = receipt_mail(receipt_of("refused"), SENDER, TO, ACCOUNT)
    text = text_of(message)
    assert message["Subject"] == f"{ACCOUNT} Server-To-Server Processing Result: acme refused files 5f0c2a9e"
    assert section(text, "Refused: bad_timestamp") == [
        "The last number must be a time in seconds with exactly 10 digits.",
        "",
        "   1  acme/date=2026-01-05/ftp_dpm_1001_17.sync",
        "   2  acme/date=2026-01-05/ftp_dpm_1001_18.sync",
    ]
    assert section(text, "Refused: unknown_dpid")[:5] == [
        "Data source 4242 is not declared.",
        "",
        "What to do: ask operations to declare it, then send the file again.",
        "",
        "   1  acme/date=2026-01-05/ftp_dpm_4242_1767571200.sync",
    ]


def test_revision_says_what_changed(receipt_of: ReceiptOf) -> None:
    lines = section(text_of(receipt_mail(corrected(receipt_of), SENDER, TO, ACCOUNT)), "Revision 2")
    assert lines[0] == "This message replaces revision 1. The ID links of 2026-01-04 were corrected."
    assert [re.split(r"\s{2,}", line) for line in lines[-2:]] == [
        ["No matching ID", "195", "190"],
        ["Stored records", "985", "990"],
    ]


def test_unbalanced_receipt_pages_operations_with_both_sides(receipt_of: ReceiptOf) -> None:
    receipt = receipt_of(balanced=False)
    receipt = replace(receipt, counters={**receipt.counters, "stored_records": 993})
    message = fault_mail(receipt, SENDER, TO[:1], ACCOUNT)
    text = text_of(message)
    assert message["Subject"] == f"{ACCOUNT} Internal fault: figures do not balance: 1001/1002 5f0c2a9e"
    assert message["To"] == TO[0]
    assert "Internal fault: figures do not balance." in text
    assert "Records processed: the receipt says 1300, the sum gives 1300: equal." in text
    assert "Stored records: the receipt says 993, the sum gives 990: they differ by +3." in text
    assert section(text, "Receipt and sum of its files")[-1].split() == ["Stored", "records", "993", "990"]


def test_unbalanced_receipt_cannot_be_mailed_as_a_receipt(receipt_of: ReceiptOf) -> None:
    with pytest.raises(ValueError, match="does not balance"):
        receipt_mail(receipt_of(balanced=False), SENDER, TO, ACCOUNT)
    with pytest.raises(ValueError, match="no fault"):
        fault_mail(receipt_of(), SENDER, TO, ACCOUNT)


def test_inb_138_same_receipt_same_bytes(receipt_of: ReceiptOf) -> None:
    first, second = (receipt_mail(receipt_of(), SENDER, TO, ACCOUNT).as_bytes() for _ in range(2))
    assert first == second


def test_inb_138_message_id_depends_on_the_key_alone(receipt_of: ReceiptOf) -> None:
    identifier = message_id(receipt_of(), SENDER, ACCOUNT)
    assert re.fullmatch(r"<receipt\.2026-01-05\.acme\.1001-1002\.b1\.r1\.[0-9a-f]{16}@northwind\.example>", identifier)
    later = datetime(2026, 1, 7, tzinfo=UTC)
    retried = receipt_of(run_id="retry", job_start=later, job_end=later)
    assert message_id(retried, SENDER, ACCOUNT) == identifier
    others = [
        receipt_of(day=date(2026, 1, 6)),
        receipt_of(partner="acme2"),
        receipt_of(dpid=1003),
        receipt_of(target=1003),
        receipt_of(batch=2),
        receipt_of(revision=2),
        receipt_of(balanced=False),
        receipt_of("id_sync"),
        receipt_of("id_sync", dpids=(0, 1002)),
        receipt_of("refused"),
    ]
    identifiers = {message_id(other, SENDER, ACCOUNT) for other in others}
    assert len({identifier, message_id(receipt_of(), SENDER, "Other"), *identifiers}) == len(others) + 2


def test_message_id_survives_folding(receipt_of: ReceiptOf) -> None:
    """The longest partner name and IDs: torn apart on the way, it could not mark a retry as such."""
    receipt = receipt_of(partner="p" * 40, dpid=9_999_999_999, target=9_999_999_998, batch=999, revision=999)
    sender = "no-reply@a-rather-long-subdomain.of-an-even-longer-company-name.northwind.example"
    message = receipt_mail(receipt, sender, TO, ACCOUNT)
    assert sent(message)["Message-ID"] == message_id(receipt, sender, ACCOUNT)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"counters": {}}, "counter stored_records is missing"),
        ({"files": (FileLine("f", {}),)}, "counter opted_out of file 'f' is missing"),
        ({"job_end": datetime(2026, 1, 6)}, "job_end has no time zone"),
    ],
)
def test_faults_of_the_caller_are_named(receipt_of: ReceiptOf, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        receipt_of(**changes)
    assert "acme, 2026-01-05" in str(caught.value)


TAGS = {"html", "head", "meta", "title", "body", "div", "h2", "p", "ol", "li", "table", "tr", "th", "td"}
ANY_TEXT = st.text(st.characters())  # every code point, stray surrogates and line ends too


@settings(deadline=None)  # a busy machine is no failure
@given(partner=ANY_TEXT, account=ANY_TEXT, run_id=ANY_TEXT, name=ANY_TEXT, remedy=ANY_TEXT)
@example("a\r\nBcc: x@y", "b\nBcc: x@y", "c\rBcc: x@y", "f\r\n\r\nBcc: x@y", "g")
@example("a", "=?utf-8?q?x=0aBcc:_x=40y?=", "=?utf-8?b?Cg==?=", "f\u2028\x85\x0b\x0c", "g")
@example("p" * 4096, "ä" * 4096, "r" * 4096, "n" * 4096, "r " * 2048)
@example("a", "\u202egro", "\ud800", "--bsync-\n--", "<script>alert(1)</script>")
@pytest.mark.parametrize("kind", ["data", "refused"])
def test_no_text_of_others_breaks_out(
    receipt_of: ReceiptOf, kind: str, partner: str, account: str, run_id: str, name: str, remedy: str
) -> None:
    hostile = FileLine(name, {}, "bad_gzip", None, remedy)
    files = (*receipt_of(kind).files, hostile, FileLine("last", {}, "bad_gzip"))
    receipt = receipt_of(kind, partner=partner, run_id=run_id, files=files)
    message = receipt_mail(receipt, SENDER, TO, account)
    raw = message.as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998
    parsed = sent(message)
    assert list(parsed.keys()) == HEADERS
    types = [body.get_content_type() for body in parsed.walk()]
    attached = ["application/json"] if kind == "refused" else ["application/json", "text/csv"]
    assert types == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", *attached]
    assert not any(body.defects for body in parsed.walk())
    assert parsed["Message-ID"].strip() == message_id(receipt, SENDER, account)
    assert [address.addr_spec for address in parsed["To"].addresses] == TO
    assert "Server-To-Server Processing Result:" in parsed["Subject"]

    text, page = part(parsed, "plain"), Page(part(parsed, "html"))
    shown = page.of("li")
    assert len(shown) == len(files)
    assert "".join(shown).isprintable()
    listed = [line[6:] for line in text.splitlines() if re.match(r" {3}\d  ", line)]
    assert [line for line in listed if line in shown] == shown
    assert page.tags <= TAGS
    assert page.attributes <= {"lang", "charset", "name", "content", "style"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\\nb", r"a\\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("zürich/日本", "zürich/日本"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_names_are_shown_and_cannot_be_mistaken(receipt_of: ReceiptOf, name: str, shown: str) -> None:
    receipt = receipt_of("refused", files=(FileLine(name, {}, "empty_file"),))
    message = sent(receipt_mail(receipt, SENDER, TO, ACCOUNT))
    assert f"\n   1  {shown}\n" in text_of(message)
    assert Page(part(message, "html")).of("li") == [shown]


def test_html_holds_the_same_figures_as_the_text(receipt_of: ReceiptOf) -> None:
    message = receipt_mail(corrected(receipt_of), SENDER, TO, ACCOUNT)
    cells = " ".join(Page(part(message, "html")).of("td"))
    figures = re.compile(r"(?<![\w.-])\d+(?![\w.:-])")
    text = text_of(message)
    tables = [*section(text, "Revision 2")[-2:]]
    for heading in ("Result", "How the records add up"):
        tables += section(text, heading)
    tables += [line for line in section(text, "Per file") if re.match(r" *(\d+|all) ", line)]
    assert figures.findall(cells) == figures.findall("\n".join(tables))
    assert len(figures.findall(cells)) > 60
