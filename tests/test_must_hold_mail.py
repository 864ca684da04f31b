"""The mailbox after the demo holds exactly the messages that its three days call for, to the word."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from demo import connect, message_ids, messages

OPERATIONS, ACME = "ops@northwind.example", "data@acme.example"

# (day, partner, what the receipt is about): how many messages. A second and third one amends the first: cards that were
# synced on a later day turned kept records into stored ones.
EXPECTED = {
    ("2026-01-05", "acme", "1001/1001"): 3,
    ("2026-01-05", "acme", "1002/1002"): 1,
    ("2026-01-05", "acme", "0/1001"): 1,
    ("2026-01-05", "acme", "1001/1002"): 1,
    ("2026-01-05", "globex", "20914/2001"): 1,
    ("2026-01-05", "globex", "20915/2001"): 1,
    ("2026-01-05", "globex", "refused"): 1,
    ("2026-01-06", "acme", "1001/1001"): 2,
    ("2026-01-06", "acme", "1001/1100"): 2,
    ("2026-01-06", "acme", "1002/1002"): 1,
    ("2026-01-06", "acme", "0/1001"): 1,
    ("2026-01-06", "acme", "1001/1002"): 1,
    ("2026-01-06", "acme", "refused"): 1,
    ("2026-01-06", "globex", "20914/2001"): 1,
    ("2026-01-06", "globex", "20915/2001"): 1,
    ("2026-01-06", "globex", "refused"): 1,
    ("2026-01-07", "acme", "1001/1001"): 1,
    ("2026-01-07", "acme", "1002/1002"): 1,
    ("2026-01-07", "acme", "0/1001"): 1,
    ("2026-01-07", "acme", "1001/1002"): 1,
}


def test_the_mailbox_of_the_demo(demo: Path) -> None:
    with connect(demo) as connection:
        sent = connection.execute("""
            SELECT message_id, day, partner, kind, coalesce(dpids, []), dpid, target
            FROM mail_outbox
            WHERE status = 'sent' AND channel = 'mail'
        """).fetchall()
    about = {}
    for message_id, day, partner, kind, dpids, dpid, target in sent:
        name = {"data": f"{dpid}/{target}", "id_sync": "/".join(map(str, dpids)), "refused": "refused"}[kind]
        about[message_id] = (str(day), partner, name)
    assert sorted(about) == message_ids(demo)
    assert Counter(about.values()) == EXPECTED

    for message in messages(demo):
        day, partner, name = about[str(message["Message-ID"])]
        receivers = {address.addr_spec for address in message["To"].addresses}
        assert receivers == ({OPERATIONS, ACME} if partner == "acme" else {OPERATIONS})
        assert f" {partner} refused files" in message["Subject"] if name == "refused" else f" {name} " in message["Subject"]
        plain = message.get_body(("plain",))
        assert plain is not None
        assert day in plain.get_content()


def test_the_text_of_every_message_is_stable(demo: Path, tmp_path: Path) -> None:
    """All of them stand in demo_mailbox.txt; only what belongs to the run is left out."""
    texts = []
    for message in sorted(messages(demo), key=lambda message: str(message["Message-ID"])):
        plain = message.get_body(("plain",))
        assert plain is not None
        heads = "".join(f"{name}: {message[name]}\n" for name in ("Message-ID", "To", "Subject"))
        names = "".join(f"Attachment: {part.get_filename()}\n" for part in message.iter_attachments())
        text = f"{heads}{names}\n{plain.get_content()}"
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN", text)
        texts.append(re.sub(r"^(Job (?:start|end) time +)[\d: -]+$", r"\1TIME", text, flags=re.MULTILINE))
    mailbox = f"{'=' * 76}\n".join(texts)
    now = tmp_path / "demo_mailbox.txt"
    now.write_text(mailbox)
    assert mailbox == (Path(__file__).parent / "demo_mailbox.txt").read_text(), f"if it should read so, keep {now}"
