"""Partner A cannot read, change or imitate partner B: whatever A sends, B's world is the same as without it. PRV-058, INB-17."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from pathlib import Path

import duckdb
import pytest
from workspaces import write_inbound, write_workspace

from bsync_assets.runs import run_days

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PARTNERS = ("acme", "globex")
#: partner: (its customer IDs, its cross-device source, its trait by ID, its trait by rule)
OWN = {"acme": (1001, 1002, 30, 31), "globex": (2001, 2002, 40, 41)}
CATALOG = {
    "partners": [
        {"name": "acme", "id": 7, "contacts": ["data@acme.example"]},
        {"name": "globex", "id": 8, "contacts": ["data@globex.example"]},
    ],
    "data_sources": [
        source
        for partner, (cookie, cross, _, _) in OWN.items()
        for source in (
            {"id": cookie, "owner": partner, "type": "cookie"},
            {"id": cross, "owner": partner, "type": "cross_device", "name": f"{partner} people"},
        )
    ],
    "traits": [
        trait
        for cookie, _, by_id, by_rule in OWN.values()
        for trait in ({"id": by_id, "data_source": cookie}, {"id": by_rule, "data_source": cookie, "rule": 'plan == "gold"'})
    ],
}
DEVICES = ["4" * 37 + str(n) for n in range(4)]


def legitimate(home: Path, partner: str) -> None:
    """What a partner sends every day: links of its IDs, and traits."""
    cookie, _, by_id, _ = OWN[partner]
    rows = "".join(f"{device}\tuser{n}\n" for n, device in enumerate(DEVICES))
    write_inbound(home, partner, DAY, f"adobe_id_0_{cookie}_1767614400.sync", rows.encode(), NOON)
    lines = f"user0\td_sid={by_id}\nuser1\tplan=gold\n"
    write_inbound(home, partner, DAY, f"ftp_dpm_{cookie}_1767614400.sync", lines.encode(), NOON)


def attack(home: Path, partner: str) -> None:
    """Everything that names what is the other's: data source, target, trait, sync column, folder."""
    (victim,) = set(PARTNERS) - {partner}
    mine, my_people, *_ = OWN[partner]
    theirs, their_people, by_id, _ = OWN[victim]
    take = f"user0\td_unsid={by_id}\nuser1\td_unsid={by_id},plan=silver\nuser2\td_sid={by_id},{by_id},plan=gold\n".encode()
    names = (
        f"ftp_dpm_{theirs}_1767614401", f"ftp_dpm_{mine}_{theirs}_1767614402", f"ftp_dpm_{theirs}_{mine}_1767614403",
        f"ftp_dpm_0_{theirs}_1767614404", f"ftp_dpm_20914_{theirs}_1767614405", f"ftp_dpm_{their_people}_1767614406",
        f"ftp_dpm_{mine}_1767614407", f"ftp_dpm_{my_people}_{mine}_1767614408",
    )  # fmt: skip
    for name in names:
        for mode in ("sync", "overwrite"):
            write_inbound(home, partner, DAY, f"{name}.{mode}", take, NOON)
    rows = f"{DEVICES[0]}\tuser3\n".encode()
    for dpids in (f"0_{theirs}", f"0_{mine}_{theirs}", f"{theirs}_{mine}", f"{mine}_{theirs}", f"0_{their_people}"):
        write_inbound(home, partner, DAY, f"adobe_id_{dpids}_1767614409.sync", rows, NOON)
    write_inbound(home, partner, DAY, f"c2c_id_{theirs}_{their_people}_1767614410.sync", b"user0\t" + b"a" * 64 + b"\n", NOON)
    folder = home / f"inbox/{partner}"
    inner = folder / f"date={DAY}/{victim}/date={DAY}"
    inner.mkdir(parents=True)
    (inner / f"ftp_dpm_{theirs}_1767614411.sync").write_bytes(take)
    (folder / f"date={DAY}/theirs").symlink_to(home / f"inbox/{victim}")
    (folder / f"date={DAY}/ftp_dpm_{mine}_1767614412.sync").symlink_to(
        home / f"inbox/{victim}/date={DAY}/ftp_dpm_{theirs}_1767614400.sync"
    )


def world(home: Path, partner: str) -> dict[str, object]:
    """Everything that is this partner's: traits, links, records, receipts, messages, manifest."""
    cookie, people, *traits = OWN[partner]
    of = {"cookie": cookie, "people": people, "partner": partner, "traits": traits}
    figures = "* EXCLUDE (run_id, job_start, job_end)"
    queries = {
        "traits": "SELECT * FROM profile_traits WHERE list_contains($traits, trait_id)",
        "held by its IDs": "SELECT * FROM profile_traits WHERE dpid IN ($cookie, $people)",
        "links": "SELECT * FROM id_links WHERE dpid IN ($cookie, $people)",
        "receipts": f"SELECT {figures} FROM receipts WHERE partner = $partner",
        "sync receipts": f"SELECT {figures} FROM id_sync_receipts WHERE partner = $partner",
        "files": "SELECT * FROM inbound_files WHERE partner = $partner",
        "rejected": "SELECT * FROM rejected_lines WHERE partner = $partner",
    }
    found: dict[str, object] = {}
    with duckdb.connect(str(home / "lake/bsync.duckdb"), read_only=True) as views:
        for what, query in queries.items():
            used = {name: value for name, value in of.items() if f"${name}" in query}
            found[what] = sorted(map(str, views.execute(query, used).fetchall()))
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (home / "mail/new").iterdir()]
    found["mail"] = sorted(str(mail["Message-ID"]) for mail in mails if f"data@{partner}.example" in str(mail["To"]))
    return found


def run(home: Path, attacker: str | None) -> Path:
    write_workspace(home, CATALOG, DAY)
    for partner in PARTNERS:
        legitimate(home, partner)
    if attacker:
        attack(home, attacker)
    assert run_days(home, DAY, DAY)
    return home


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("peaceful") / "home", None)


@pytest.mark.parametrize(("attacker", "victim"), [PARTNERS, PARTNERS[::-1]])
def test_PRV_058_the_victims_world_is_the_same(peaceful: Path, tmp_path: Path, attacker: str, victim: str) -> None:
    before = world(peaceful, victim)
    assert before["traits"]
    assert before["links"]
    assert before["mail"]
    attacked = run(tmp_path / "home", attacker)
    assert world(attacked, victim) == before

    theirs = OWN[victim][0]
    with duckdb.connect(str(attacked / "lake/bsync.duckdb"), read_only=True) as views:
        let_in = views.execute(
            "SELECT key, dpid, target, status FROM inbound_files WHERE partner = $attacker AND status = 'accepted'",
            {"attacker": attacker},
        ).fetchall()
    assert let_in
    for key, dpid, target, _ in let_in:
        assert theirs not in (dpid, target), key
        assert str(theirs) not in key.rpartition("/")[2].split("_"), key
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (attacked / "mail/new").iterdir()]
    for mail in mails:
        if f"data@{attacker}.example" in str(mail["To"]):
            text = "".join(str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text")
            assert f"data@{victim}.example" not in text
            assert f"{victim} people" not in text
