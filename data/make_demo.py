"""Make the demo's inbound files: three days of two invented partners, a few thousand lines a day.

    python data/make_demo.py [--seed N]     writes data/inbox anew

Belongs here: what the invented partners send, their mistakes included, and when. Does not belong here: what
bsync makes of it. So nothing of the package is imported, and the mistakes are written out by hand.

Same seed, same bytes: each partner draws from one generator, and gzip headers carry no time.
Importing this does nothing.
"""

import argparse
import gzip
import io
import os
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

INBOX = Path(__file__).parent / "inbox"
SEED = 7
MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)

# People with a story; data/README.md tells it.
TILL_CARD = "card-100000"  # swiped for customers without a card: more lines a day than one ID may have
TWO_BROWSERS = "card-100007"  # synced with two browsers: both get its traits
SYNCED_LATE = "card-100042"  # data on Monday, synced on Tuesday, data again on Tuesday
SYNCED_TOO_LATE = "card-100077"  # data on Monday only, synced on Tuesday

# Lines that must be refused, by the reason. A lone surrogate is written as one raw byte (see `text`).
DATA_MISTAKES = {
    "no_tab": "{id} {items}",
    "extra_tab": "{id}\t{items}\tend",
    "empty_user_id": "\t{items}",
    "empty_payload": "{id}\t",
    "unbalanced_quote": '{id}\t{items},plan="gold',
    "bad_quote": '{id}\t{items},plan="go"ld',
    "bad_encoding": "{id}\t{items},town=M\udcfcnchen",
    "control_char": "{id}\t{items},note=a\x01b",
    "pii in a value": "{id}\t{items},mail=jo.doe@example.com",
}
CARD_MISTAKES = DATA_MISTAKES | {"colon_in_id": "{id}:1\t{items}", "pii": "jo.doe@example.com\t{items}"}
DEVICE_MISTAKES = DATA_MISTAKES | {
    "wrong case": "{swapped_id}\t{items}",
    "no dashes": "{bare_id}\t{items}",
    "tracking limited": "00000000-0000-0000-0000-000000000000\t{items}",
    "not a device ID": "unknown\t{items}",
}
CHAIN_MISTAKES = {
    "column_count": "{id} {items}",
    "empty_id": "\t{items}",
    "trailing_whitespace": "{id}\t{items} ",
    "whitespace_in_id": "{id}\t {items}",
    "bad_encoding": "{id}\t{items}\udcfc",
    "control_char": "{id}\t{items}\x01",
    "colon_in_id": "{id}\t{items}:1",
    "url_encoded_id": "{id}\t{items}%20x",
    "pii": "{id}\tjo.doe@example.com",
}
SYNC_MISTAKES = CHAIN_MISTAKES | {
    "invalid_aam_id, too short": "{short_id}\t{items}",
    "invalid_aam_id, columns swapped": "{items}\t{id}",
}

# Items that spoil nothing but themselves: traits of others, of the wrong kind, of nobody; malformed items.
SLIPS = ("d_sid=20101", "d_sid=10114", "d_sid=99999", "10101:1", "d_sid=abc", "=yes", '"10101"', "PROMO7")

GOODS = {  # department: (article number starts with, (article, price) ...)
    "camping": ("TN", (("Tent, 3 persons", 349), ("Tent, 1 person", 189), ("Stove", 59.9), ("Tarp", 45))),
    "boots": ("BT", (("Boots, leather", 219), ("Trail shoes", 129.95))),
    "socks": ("SO", (("Wool socks", 19.9),)),
    "climbing": ("CL", (("Rope, 60 m", 159), ("Chalk bag", 24.5))),
    "ski": ("SB", (("Ski boots", 389), ("Touring boots, light", 529))),
    "clothing": ("JK", (("Rain jacket", 179), ("Cap", 25), ("Fleece", 79.9))),
}
# What partners send and nobody has a trait for.
CARD_NOISE = {
    "store": ("munich", "berlin", "oslo", "zürich", "online"),
    "till": tuple("12345678"),
    "lang": ("de", "en", "fr", "no"),
    "channel": ("app", "shop", "web"),
    "payment": ("card", "cash", "voucher", "invoice, 30 days"),
    "weekday": ("mon", "tue", "wed"),
    "bag": ("yes", "no"),
    "size": ("S", "M", "L", "XL"),
    "color": ("red", "blue", "dark green", "sand"),
    "staff": ("a17", "a22", "b03", ""),
    "season": ("winter",),
    "p_birth_year": ("1961", "1978", "1990", "2002"),
}
APP_NOISE = {
    "carrier": ("blue", "magenta", "roaming"),
    "sdk": ("4.1", "4.2", "5.0"),
    "battery": ("low", "ok"),
    "net": ("wifi", "5g", "4g"),
    "screen": ("small", "large"),
    "lang": ("de", "en", "fr", "no"),
    "push": ("on", "off"),
    "sessions": tuple("12345"),
}


class Customer(NamedTuple):
    """One invented customer of Acme: card, entry in the customer database, browser, and habits."""

    card: str
    crm: str
    browser: str
    interest: str
    member: bool
    gold: bool
    reads_news: bool
    household: int
    months_away: int
    club: bool
    city: str


class Delivery(NamedTuple):
    """One file as a partner drops it, at `clock` UTC. `name` holds `{ts}` where that time in seconds goes.

    `content` is what the file says, before the gzip that a name in `.gz` asks for. `kept` is the share of the
    file that got through.
    """

    day: date
    clock: str
    name: str
    content: bytes
    kept: float = 1.0


def text(lines: Sequence[str], *, end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode("utf-8", "surrogateescape")


def gzipped(content: bytes) -> bytes:
    """Gzip without name and time in the header, so that the same content gives the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def with_mistakes(rng: random.Random, lines: Sequence[str], mistakes: dict[str, str]) -> list[str]:
    """The lines, with broken copies of 1.5 % of them put in between; every kind of mistake gets its turn."""
    kinds = rng.sample(sorted(mistakes), len(mistakes))
    result = list(lines)
    for turn in range(max(3, round(len(lines) * 0.015))):
        user, _, items = rng.choice(lines).partition("\t")
        broken = mistakes[kinds[turn % len(kinds)]].format(
            id=user,
            items=items,
            swapped_id=user.swapcase(),
            bare_id=user.replace("-", ""),
            short_id=user[:-1],
        )
        result.insert(rng.randrange(len(result)), broken)
    return result


def pair(rng: random.Random, key: str, value: object) -> str:
    """`key=value` in one of the spellings that occur: quotes on either side or none, spaces around `=`."""
    if "," in str(value):
        return f'{key}="{value}"'
    return rng.choices(("{}={}", '{}="{}"', '"{}"="{}"', "{} = {}"), (70, 15, 10, 5))[0].format(key, value)


def noise(rng: random.Random, kinds: dict[str, tuple[str, ...]], count: int) -> list[str]:
    return [pair(rng, key, rng.choice(kinds[key])) for key in rng.sample(sorted(kinds), count)]


def record(rng: random.Random, user: str, items: list[str]) -> str:
    rng.shuffle(items)
    return user + "\t" + rng.choices((",", ", "), (9, 1))[0].join(items)


def make_customers(rng: random.Random, count: int) -> list[Customer]:
    return [
        Customer(
            card=f"card-{100000 + number}",
            crm=f"crm-{rng.randrange(16**5):05x}{number:04d}",
            browser="".join(rng.choices("0123456789", k=38)),
            interest=rng.choices(("HIKE", "CLIMB", "52", "FISH", ""), (25, 12, 15, 18, 30))[0],
            member=rng.random() < 0.5,
            gold=rng.random() < 0.1,
            reads_news=rng.random() < 0.35,
            household=rng.choices((1, 2, 3, 4, 5), (30, 35, 15, 15, 5))[0],
            months_away=rng.choices((0, 1, 3, 8, 14, 26), (30, 25, 20, 10, 10, 5))[0],
            club=rng.random() < 0.3,
            city=rng.choices(("München", "Berlin", "Oslo", "Zürich", "Lyon"), (15, 30, 20, 20, 15))[0],
        )
        for number in range(count)
    ]


def card_record(rng: random.Random, customer: Customer, baskets: set[str], readers: set[str]) -> str:
    """One loyalty card record. `baskets` and `readers` are the cards with that trait now; updated here."""
    items = noise(rng, CARD_NOISE, rng.randint(3, 6))
    if rng.random() < 0.03:
        items.append(rng.choice(SLIPS))
    if rng.random() < 0.12:  # a visit and nothing else: no trait comes of it
        return record(rng, customer.card, items)
    if customer.member:
        items.append(rng.choices(("d_sid=10101", "10101"), (4, 1))[0])
    if customer.gold:
        items.append("d_sid=10102")
    if customer.interest:
        items.append(rng.choices((customer.interest, f"ic={customer.interest}"), (3, 1))[0])
    if customer.card in readers and rng.random() < 0.1:
        readers.remove(customer.card)
        items.append("d_unsid=10111")
    elif customer.reads_news and rng.random() < 0.6:
        readers.add(customer.card)
        items.append("d_sid=10111")
    if rng.random() < 0.45:
        dept, (letters, articles) = rng.choice(list(GOODS.items()))
        article, price = rng.choice(articles)
        bought = {
            "dept": dept,
            "product": article,
            "sku": f"{letters}{rng.randrange(1000, 9999)}",
            "price": f"{price:.2f}",
            "coupon": rng.choices(("yes", "no"), (1, 4))[0],
        }
        items += [pair(rng, key, value) for key, value in bought.items()]
        if customer.card in baskets:
            baskets.remove(customer.card)
            items.append(rng.choice(("10112:0", "10112:-1")))
    elif rng.random() < 0.3:
        baskets.add(customer.card)
        items.append("d_sid=10112")
    return record(rng, customer.card, items)


def customer_record(rng: random.Random, customer: Customer) -> str:
    """One record of the customer database, as its export writes it: all in quotes, in a fixed order."""
    fields = {
        "account": rng.choice(("HAC", "STD")),
        "plan": "paid" if customer.gold else "free",
        "since": f"{rng.randrange(2009, 2026)}-{rng.randrange(1, 13):02d}-01 00:00:00.000",
        "city": customer.city,
        "household": customer.household,
        "months_away": customer.months_away,
        "club": "yes" if customer.club else "no",
        "calls": rng.randrange(4),
        "balance": f"{rng.randrange(40000) / 100:.2f}",
        "csat": "0.000000000000000000000",
        "products": rng.choice(("Tent, 3 persons| Stove", "Rope, 60 m| Chalk bag", "Membership")),
    }
    items = ["d_sid=10201"] + [f'"{key}"="{value}"' for key, value in fields.items()]
    return f"{customer.crm}\t{','.join(items)}"


def changed(rng: random.Random, customer: Customer) -> Customer:
    """The customer as a later export shows them: some moved, some left the club."""
    if rng.random() < 0.8:
        return customer
    city = rng.choice(("Berlin", "Lyon"))
    return customer._replace(city=city, club=False, household=max(1, customer.household - 1))


def app_record(rng: random.Random, device: str) -> str:
    """One record of a phone or tablet."""
    items = noise(rng, APP_NOISE, rng.randint(2, 4))
    if rng.random() < 0.1:
        return record(rng, device, items)
    items.append(rng.choices(("d_sid=20101", "20101"), (3, 1))[0])
    items.append(pair(rng, "app", rng.choices(("trailmap", "runlog", "weather", "chess"), (3, 2, 4, 3))[0]))
    if rng.random() < 0.5:
        interest = rng.choices(("outdoor", "mountains", "cars", "food, wine"), (4, 2, 3, 3))[0]
        items.append(pair(rng, "interest", interest))
    if rng.random() < 0.4:
        items.append(pair(rng, "device", rng.choices(("phone", "tablet"), (4, 1))[0]))
    if rng.random() < 0.15:
        items.append(pair(rng, "place", rng.choice(("shop", "station", "home"))))
    if rng.random() < 0.02:
        items.append(rng.choice(("d_sid=10103", "d_sid=99999", "20101:1")))
    return record(rng, device, items)


def windows_export(rng: random.Random, customers: Sequence[Customer]) -> bytes:
    """An export with every oddity we met: CRLF, a doubled comma, blank lines at the end, and behind them one
    last record without a line end."""
    *lines, last = [customer_record(rng, customer) for customer in customers]
    lines[2] = lines[2].replace(',"calls"', ',,"calls"')
    return text([*lines, "", "   "], end="\r\n") + text([last], end="")


def acme_deliveries(rng: random.Random) -> Iterator[Delivery]:
    """Loyalty cards (1001) and the customer database (1002), with the syncs that link both to browsers."""
    customers = make_customers(rng, 1400)
    by_card = {customer.card: customer for customer in customers}
    story = [by_card[card] for card in (TWO_BROWSERS, SYNCED_LATE, SYNCED_TOO_LATE)]
    two_browsers, synced_late, synced_too_late = story
    crowd = [customer for customer in customers if customer not in story and customer.card != TILL_CARD]
    baskets: set[str] = set()
    readers: set[str] = set()

    def links(linked: Sequence[Customer]) -> list[str]:
        rows = [f"{customer.browser}\t{customer.card}" for customer in rng.sample(linked, len(linked))]
        return with_mistakes(rng, rows, SYNC_MISTAKES)

    def chain(linked: Sequence[Customer]) -> list[str]:
        return with_mistakes(rng, [f"{customer.card}\t{customer.crm}" for customer in linked], CHAIN_MISTAKES)

    def cards(count: int, hikers: Sequence[Customer] = ()) -> list[str]:
        lines = [card_record(rng, customer, baskets, readers) for customer in rng.choices(crowd, k=count)]
        tent = "d_sid=10101,HIKE,dept=camping,price=349.00,store=munich"
        return with_mistakes(rng, lines, CARD_MISTAKES) + [f"{hiker.card}\t{tent}" for hiker in hikers]

    def people(lines: Sequence[str]) -> bytes:
        return text(with_mistakes(rng, lines, CARD_MISTAKES))

    # Monday: the first links, then data for many more cards than are linked.
    other_browser = two_browsers._replace(browser="".join(rng.choices("0123456789", k=38)))
    rows = links([*crowd[:850], two_browsers, other_browser])
    yield Delivery(MONDAY, "02:10:04", "adobe_id_0_1001_{ts}.sync", text(rows))
    yield Delivery(MONDAY, "02:12:31", "adobe_id_1001_1002_{ts}.sync", text(chain(crowd[500:950])))
    yield Delivery(MONDAY, "03:40:12", "ftp_dpm_1001_{ts}.sync.gz", text(cards(1300, story)))
    export = [customer_record(rng, customer) for customer in crowd[400:1000]]
    yield Delivery(MONDAY, "04:05:50", "ftp_dpm_1002_{ts}.sync.gz", people(export))

    # Tuesday: late links; the till card; our own traits; a file under a wrong number, sent again.
    rows = links([synced_late, synced_too_late, *crowd[850:1000], *crowd[:30]])
    yield Delivery(TUESDAY, "02:10:07", "adobe_id_0_1001_{ts}.sync", text(rows))
    rows = [*chain([synced_late, *crowd[950:1040]]), "", ""]
    yield Delivery(TUESDAY, "02:12:44", "adobe_id_1001_1002_{ts}.sync", text(rows, end="\r\n"))
    lines = cards(1100, [two_browsers, synced_late])
    lines += [f"{TILL_CARD}\ttill={swipe % 8 + 1},bag=yes" for swipe in range(205)]
    yield Delivery(TUESDAY, "03:41:02", "ftp_dpm_1010_{ts}.sync.gz", text(lines))
    yield Delivery(TUESDAY, "06:30:15", "ftp_dpm_1001_{ts}.sync.gz", text(lines))
    signs = ("d_sid=11001", "11001", "event=Avalanche course", "event=Film night", "d_sid=10101")
    guests = [f"{customer.card}\t{rng.choice(signs)},lang=en" for customer in rng.sample(crowd, 150)]
    yield Delivery(TUESDAY, "07:02:20", "ftp_dpm_1001_1100_{ts}.sync", people(guests))
    yield Delivery(TUESDAY, "09:15:00", "ftp_dpm_1002_{ts}.sync", windows_export(rng, crowd[1000:1012]))

    # Wednesday: an ordinary day, with the full export of the month in two parts.
    yield Delivery(WEDNESDAY, "02:10:02", "adobe_id_0_1001_{ts}.sync", text(links(crowd[1000:1080])))
    yield Delivery(WEDNESDAY, "02:12:19", "adobe_id_1001_1002_{ts}.sync", text(chain(crowd[1000:1060])))
    too_long = f"{crowd[0].card}\td_sid=10101,log={'x' * 102_400}"
    yield Delivery(WEDNESDAY, "03:39:58", "ftp_dpm_1001_{ts}.sync.gz", text([*cards(1200), too_long]))
    export = [customer_record(rng, changed(rng, customer)) for customer in crowd[350:900]]
    in_both = f"{crowd[350].crm}\tplan=paid,d_unsid=10201"  # in part 1 too: both count; a removal does nothing
    yield Delivery(WEDNESDAY, "05:00:00", "ftp_dpm_1002_{ts}.overwrite.1.gz", people(export[:300]))
    yield Delivery(WEDNESDAY, "05:00:00", "ftp_dpm_1002_{ts}.overwrite.2", people([*export[300:], in_both]))


def globex_deliveries(rng: random.Random) -> Iterator[Delivery]:
    """Phones: Android (20914) and iOS (20915) IDs, traits of 2001. Globex sends nothing on Wednesday."""
    hexes = [f"{rng.getrandbits(128):032x}" for _ in range(1900)]
    dashed = [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in hexes]
    android, ios = dashed[:1100], [device.upper() for device in dashed[1100:]]

    def apps(devices: Sequence[str], count: int) -> list[str]:
        lines = [app_record(rng, device) for device in rng.choices(devices, k=count)]
        return with_mistakes(rng, lines, DEVICE_MISTAKES)

    # Monday: one upload breaks off, and is sent again an hour later.
    yield Delivery(MONDAY, "01:15:30", "ftp_dpm_20914_2001_{ts}.sync.gz", text(apps(android, 1000)))
    iphones = text(apps(ios, 700))
    yield Delivery(MONDAY, "01:20:11", "ftp_dpm_20915_2001_{ts}.sync.gz", iphones, kept=0.7)
    yield Delivery(MONDAY, "02:21:40", "ftp_dpm_20915_2001_{ts}.sync.gz", iphones)

    # Tuesday: a file in two parts; two bad names, without a target and with a date for a time stamp.
    yield Delivery(TUESDAY, "01:15:28", "ftp_dpm_20914_2001_{ts}.sync.gz", text(apps(android, 900)))
    lines = apps(ios, 600)
    yield Delivery(TUESDAY, "01:18:55", "ftp_dpm_20915_2001_{ts}.sync.1.gz", text(lines[:400]))
    yield Delivery(TUESDAY, "01:18:55", "ftp_dpm_20915_2001_{ts}.sync.2", text(lines[400:]))
    yield Delivery(TUESDAY, "08:00:00", "ftp_dpm_20914_{ts}.sync", text(apps(android, 20)))
    yield Delivery(TUESDAY, "12:00:00", "ftp_dpm_20914_2001_20260106.sync", text(apps(android, 20)))


def write_inbox(inbox: Path, seed: int = SEED) -> list[Path]:
    """Write the files of the three days under `inbox`, in place of what is there for those days.

    Sets their arrival times too. Returns their paths, by partner.
    """
    partners = {"acme": acme_deliveries, "globex": globex_deliveries}
    paths = []
    for partner, deliveries in partners.items():
        for day in (MONDAY, TUESDAY, WEDNESDAY):
            shutil.rmtree(inbox / partner / f"date={day}", ignore_errors=True)
        for delivery in deliveries(random.Random(f"{partner} {seed}")):
            arrival = datetime.combine(delivery.day, time.fromisoformat(delivery.clock), UTC)
            name = delivery.name.format(ts=int(arrival.timestamp()))
            content = gzipped(delivery.content) if name.endswith(".gz") else delivery.content
            path = inbox / partner / f"date={delivery.day}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[: int(len(content) * delivery.kept)])
            paths.append(path)
    set_arrival_times(inbox)
    return paths


def arrival_time(path: Path) -> datetime:
    """When a demo file arrived, UTC: the 10-digit time stamp in its name if it lies in the day of the file's
    `date=` folder, otherwise noon of that day."""
    day = date.fromisoformat(path.parent.name.removeprefix("date="))
    stamp = re.search(r"_([0-9]{10})\.", path.name)
    if stamp:
        arrival = datetime.fromtimestamp(int(stamp[1]), UTC)
        if arrival.date() == day:
            return arrival
    return datetime.combine(day, time(12), UTC)


def set_arrival_times(inbox: Path) -> None:
    """Set the modification time of every inbound file from its name.

    bsync takes the modification time for the arrival time, and git does not keep it.
    """
    for path in inbox.glob("*/date=*/*"):
        seconds = arrival_time(path).timestamp()
        os.utime(path, (seconds, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the demo's inbound files (data/inbox) anew.")
    parser.add_argument("--seed", type=int, default=SEED, help=f"other numbers, other people (default {SEED})")
    paths = write_inbox(INBOX, parser.parse_args().seed)
    print(f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.2f} MB in {INBOX}")


if __name__ == "__main__":
    main()
