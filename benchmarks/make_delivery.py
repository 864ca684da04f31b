"""Makes deliveries of any size in the shape of a large real one, with a workspace that can process them.

Belongs here: what the files look like, the catalog that goes with them, and the same rules and links as plain
Parquet for the scripts the product is compared with. Does not belong here: running or measuring anything.

    OUT/workspace/     bsync.yaml, catalog/, inbox/: what BSYNC_HOME points to
    OUT/reference/     rules.parquet, links.parquet (one partner only): what the compared scripts start from
    OUT/delivery.json  what was made; written last, so its presence says that the folder is complete

The shape, per record: 23 signals, 28 % of them used by a rule, 34 % of the records with a trait (about 18 of
them), two thirds of the users linked, every 25th of those to a second device, 1 % of the lines malformed, 3 %
of the records with quoted pairs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

CHUNK = 200_000  # records made at once; some 75 MB of text, far below the 2 GB that 32-bit offsets reach
FILE_BYTES = 1_000_000_000
STRIDE = 982_451_653  # a prime: multiples of it, modulo the number of users, visit every user once
FIRST_SOURCE = 1001
FIRST_TRAIT = 100_001
RIGHT_HALVES = 20  # each is wanted by many rules, as a region or a language would be
BAD_LINE_SHARE = 0.01
QUOTED_RECORD_SHARE = 0.03
KEYS = tuple(
    f"{topic}_{field}" for topic in ("car", "home", "shop", "trip", "news", "game") for field in ("model", "last", "tier")
)
# What spoils a line of a hard delivery: the first goes behind the user ID, the others behind the payload.
BAD_ENDINGS = (b":1", b"\tx", b',a="b', b',a="b"c', b",a=\xff", b",a=\x01", b",a=jo@example.com")

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Vocabulary:
    """The distinct items of one data source, in this order: simple, left halves, right halves, d_sid, unused.

    `text` holds every item once per spelling: item i in spelling s is text[s * size + i].
    """

    text: pa.BinaryArray
    size: int
    simple: int
    halves: int
    traits: int

    @property
    def unused_from(self) -> int:
        return self.simple + self.halves + RIGHT_HALVES + self.traits


@dataclass(frozen=True)
class Users:
    """The users of one partner: numbers below `count`, from which their IDs are derived with `seed`."""

    count: int
    seed: int


@dataclass(frozen=True)
class Chunk:
    """Some lines of a file, each ended by LF, and how many of them are malformed."""

    text: bytes
    bad_lines: int = 0


@dataclass(frozen=True)
class Rule:
    """A trait and the one or two pairs that its rule wants; no pair: reached by its ID only."""

    trait: int
    pairs: tuple[tuple[str, str], ...]


def make_delivery(
    out: Path,
    *,
    records: int,
    partners: int = 1,
    traits: int = 20_000,
    distinct: int = 500_000,
    day: date = date(2026, 1, 12),
    days: int = 1,
    keep_unmatched_days: int = 30,
    hard: bool = False,
    seed: int = 1,
) -> dict[str, object]:
    """Write a workspace with `records` records per partner and day, and return what delivery.json says.

    The sync files lie two days before `day`, so that the day between is empty and can be measured as such.
    The traits are shared out among the partners. `hard` writes the same records in every spelling that the
    grammar allows (case, spaces, dashes, quotes, empty items, CRLF, blank lines) and with more kinds of
    malformed lines: memberships and counters stay equal to those of the plain delivery with the same seed.
    """
    workspace, reference = out / "workspace", out / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    link_day = day - timedelta(days=2)
    names = ["bench"] if partners == 1 else [f"bench{number}" for number in range(partners)]
    catalog: dict[str, list[str]] = {"partners": [], "data_sources": [], "traits": []}
    share = traits // partners
    byte_count = bad_lines = links = 0
    for number, name in enumerate(names):
        source, first_trait = FIRST_SOURCE + number, FIRST_TRAIT + number * share
        rules = make_rules(first_trait, share)
        catalog["partners"].append(f"{{name: {name}, id: {7 + number}}}")
        catalog["data_sources"].append(
            f"{{id: {source}, name: Source of {name}, owner: {name}, type: cookie, key: customer, "
            f"keep_unmatched_days: {keep_unmatched_days}}}"
        )
        catalog["traits"].extend(trait_line(rule, source) for rule in rules)
        vocabulary = make_vocabulary(rules, distinct // partners, hard)
        users = Users(records * 5 // 2, seed * 1_000_003 + number)

        folder = workspace / "inbox" / name
        link_table = make_links(users)
        links += link_table.num_rows
        write_files(folder, link_day, f"adobe_id_0_{source}", link_lines(link_table))
        if partners == 1:
            pq.write_table(link_table, reference / "links.parquet")
            pq.write_table(rule_table(rules), reference / "rules.parquet")
        for offset in range(days):
            chunks = data_lines(records, users, vocabulary, [seed, number, offset], hard)
            written = write_files(folder, day + timedelta(days=offset), f"ftp_dpm_{source}", chunks)
            byte_count, bad_lines = byte_count + written[0], bad_lines + written[1]
    write_catalog(workspace, catalog, start=link_day)
    made: dict[str, object] = {
        "records": records,
        "partners": partners,
        "days": days,
        "traits": traits,
        "links": links,
        "bytes": byte_count,
        "bad_lines": bad_lines,
        "hard": hard,
        "seed": seed,
        "link_day": link_day.isoformat(),
        "empty_day": (day - timedelta(days=1)).isoformat(),
        "day": day.isoformat(),
    }
    (out / "delivery.json").write_text(json.dumps(made, indent=2) + "\n")
    return made


def make_rules(first_trait: int, count: int) -> list[Rule]:
    """85 % `key == "value"`, 10 % AND of two, 5 % no rule. Every 50th simple rule repeats the one before."""
    simple, halves = _shares(count)
    rules = [Rule(first_trait + i, (_simple_pair(i - (i % 50 == 49)),)) for i in range(simple)]
    rules += [Rule(first_trait + simple + i, (_left_half(i), _right_half(i % RIGHT_HALVES))) for i in range(halves)]
    return rules + [Rule(trait, ()) for trait in range(first_trait + len(rules), first_trait + count)]


def make_vocabulary(rules: list[Rule], distinct: int, hard: bool) -> Vocabulary:
    """Every item of one source in each of its spellings; `distinct` items that no rule uses."""
    simple, halves = _shares(len(rules))
    pairs = [rule.pairs[0] for rule in rules[: simple + halves]] + [_right_half(i) for i in range(RIGHT_HALVES)]
    unused = [(KEYS[i % len(KEYS)], f"x{i}") for i in range(distinct)]
    by_id = [f"d_sid={rule.trait}" for rule in rules]

    def spelled(known: list[str], idle: list[str]) -> list[str]:
        # Every 20th simple item is the bare form of its `ic` pair; quotes would make something else of it.
        bare = [
            value if i < simple and i % 20 == 0 else text for i, ((_, value), text) in enumerate(zip(pairs, known, strict=True))
        ]
        return bare + by_id + idle

    spellings = [
        spelled([f"{key}={value}" for key, value in pairs], [f"{key}={value}" for key, value in unused]),
        spelled(
            [f'"{key}"="{value}"' for key, value in pairs],
            [f'{key}="{value}{", b" if i % 4 == 0 else ""}"' for i, (key, value) in enumerate(unused)],
        ),
    ]
    if hard:
        plain = spellings[0]
        spellings += [
            [text.upper() for text in plain],
            [f" {text.replace('=', ' = ')} " for text in plain],
            [f",--{text}" if "=" in text else f",{text}" for text in plain],
            spelled([f'{key} ="{value}"' for key, value in pairs], [f"={value}" for _, value in unused]),
        ]
    text = pa.array([item.encode() for spelling in spellings for item in spelling], type=pa.binary())
    return Vocabulary(text, len(spellings[0]), simple, halves, len(rules))


def data_lines(records: int, users: Users, vocabulary: Vocabulary, seed: list[int], hard: bool) -> Iterator[Chunk]:
    """The lines of one data delivery, in chunks."""
    for first in range(0, records, CHUNK):
        count = min(CHUNK, records - first)
        random = np.random.Generator(np.random.SFC64([*seed, first]))
        user = _users_of_records(random, first, count, users.count)
        payload = _payloads(random, count, vocabulary, hard)
        bad = random.random(count) < BAD_LINE_SHARE
        yield Chunk(_lines(random, _user_ids(user, users.seed), payload, bad, hard), int(bad.sum()))


def make_links(users: Users) -> pa.Table:
    """Links of two thirds of the users (columns id, uuid), every 25th of them with a second device."""
    numbers = np.arange(users.count, dtype=np.int64)
    linked = numbers[_mix(numbers, users.seed + 1) % np.uint64(3) != 0]
    second = linked[_mix(linked, users.seed + 2) % np.uint64(25) == 0]
    devices = pa.concat_arrays([_uuids(linked, users.seed + 3), _uuids(second, users.seed + 4)])
    ids = pa.concat_arrays([_user_ids(linked, users.seed), _user_ids(second, users.seed)])
    return pa.table({"id": ids.cast(pa.string()), "uuid": devices.cast(pa.string())})


def link_lines(links: pa.Table) -> Iterator[Chunk]:
    """The rows of sync files, in chunks: platform UUID, TAB, customer ID."""
    for first in range(0, links.num_rows, CHUNK * 5):
        part = links.slice(first, CHUNK * 5).combine_chunks()
        rows = pc.binary_join_element_wise(part["uuid"], part["id"], "\t").combine_chunks()
        yield Chunk(_text(rows.cast(pa.binary())))


def write_files(folder: Path, day: date, stem: str, chunks: Iterator[Chunk]) -> tuple[int, int]:
    """Write chunks as splits of at most FILE_BYTES, arriving at noon; return bytes, malformed lines."""
    target = folder / f"date={day}"
    target.mkdir(parents=True, exist_ok=True)
    noon = int(datetime.combine(day, time(12), UTC).timestamp())
    splits: list[Path] = []
    room = byte_count = bad_lines = 0
    for chunk in chunks:
        size = len(chunk.text)
        if size > room:
            splits.append(target / f"{stem}_{noon}.sync.{len(splits) + 1}")
            splits[-1].write_bytes(b"")
            room = FILE_BYTES
        with splits[-1].open("ab") as file:
            file.write(chunk.text)
        room -= size
        byte_count += size
        bad_lines += chunk.bad_lines
    for path in splits:
        os.utime(path, (noon, noon))
    return byte_count, bad_lines


def write_catalog(workspace: Path, catalog: dict[str, list[str]], start: date) -> None:
    """Write bsync.yaml and catalog/*.yaml; no segments, no destinations: the compared scripts have none."""
    (workspace / "catalog").mkdir(parents=True, exist_ok=True)
    (workspace / "bsync.yaml").write_text(
        f"account: {{name: Benchmark, pid: 1234, start: {start}}}\n"
        "inbox: inbox\noutbox: outbox\n"
        "mail: {transport: maildir, path: mail, from: bsync@example.com, ops: [ops@example.com]}\n"
    )
    for name, entries in {**catalog, "segments": [], "destinations": []}.items():
        text = "".join(f"- {entry}\n" for entry in entries) or "[]\n"
        (workspace / "catalog" / f"{name}.yaml").write_text(text)


def trait_line(rule: Rule, source: int) -> str:
    """One entry of catalog/traits.yaml."""
    text = " AND ".join(f'{key} == "{value}"' for key, value in rule.pairs)
    return f"{{id: {rule.trait}, data_source: {source}" + (f", rule: '{text}'}}" if text else "}")


def rule_table(rules: list[Rule]) -> pa.Table:
    """The rules for the compared scripts: trait, key_1, value_1, key_2, value_2 (null: no such pair)."""
    columns: dict[str, list[int] | list[str | None]] = {"trait": [rule.trait for rule in rules]}
    for i in range(2):
        columns[f"key_{i + 1}"] = [rule.pairs[i][0] if i < len(rule.pairs) else None for rule in rules]
        columns[f"value_{i + 1}"] = [rule.pairs[i][1] if i < len(rule.pairs) else None for rule in rules]
    return pa.table(columns)


def _shares(traits: int) -> tuple[int, int]:
    """How many of the traits have a rule of one comparison, and of two."""
    return traits * 85 // 100, traits * 10 // 100


def _simple_pair(i: int) -> tuple[str, str]:
    return "ic" if i % 10 == 0 else KEYS[i % len(KEYS)], f"v{i}"


def _left_half(i: int) -> tuple[str, str]:
    return KEYS[i % len(KEYS)], f"l{i}"


def _right_half(i: int) -> tuple[str, str]:
    return "region", f"r{i}"


def _mix(numbers: Integers, salt: int) -> Hashes:
    """splitmix64: well mixed 64 bits per number, no two numbers alike."""
    x = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _zipf(random: np.random.Generator, count: int, size: int, shift: int) -> Integers:
    """Ranks below `size` with a chance of about 1 / (rank + shift); a larger shift flattens the head."""
    spread = np.exp(random.random(count, dtype=np.float32) * np.float32(np.log((size + shift) / shift)))
    ranks: Integers = (spread * shift - shift).astype(np.int64)
    return np.minimum(ranks, size - 1)


def _users_of_records(random: np.random.Generator, first: int, count: int, population: int) -> Integers:
    """User numbers of the records, in no order: each once, but 3 % of the records repeat an earlier one."""
    at = np.arange(first, first + count, dtype=np.int64)
    back = np.where(random.random(count) < 0.03, random.integers(1, 50_000, count), 0)
    return np.where(back > at, at, at - back) * STRIDE % population


def _payloads(random: np.random.Generator, count: int, vocabulary: Vocabulary, hard: bool) -> pa.BinaryArray:
    """Column 2 of `count` records. One without a trait holds unused items and, rarely, a lone left half."""
    size = random.poisson(22, count) + 1
    total = int(size.sum())
    starts = np.concatenate(([0], np.cumsum(size)))
    record = np.repeat(np.arange(count), size)
    with_trait = random.random(count) < 0.34
    used = random.random(total, dtype=np.float32) < np.where(with_trait, np.float32(0.8), np.float32(0.01))[record]

    item = vocabulary.unused_from + _zipf(random, total, vocabulary.size - vocabulary.unused_from, shift=10)
    left = vocabulary.simple
    right = left + vocabulary.halves
    by_id = right + RIGHT_HALVES
    at = np.flatnonzero(used)
    kind = np.where(with_trait[record[at]], random.random(len(at)), 0.85)
    item[at] = np.select(
        [kind < 0.8, kind < 0.9, kind < 0.95],
        [
            _zipf(random, len(at), vocabulary.simple, shift=50),
            left + random.integers(0, vocabulary.halves, len(at)),
            right + random.integers(0, RIGHT_HALVES, len(at)),
        ],
        by_id + random.integers(0, vocabulary.traits, len(at)),
    )
    # One item of every record with a trait is sure to realize one, wherever in the line.
    sure = (starts[:-1] + random.random(count) * size).astype(np.int64)[with_trait]
    item[sure] = _zipf(random, len(sure), vocabulary.simple, shift=50)

    quoted = (random.random(count) < QUOTED_RECORD_SHARE)[record] & (random.random(total, dtype=np.float32) < 0.3)
    spelling = quoted.astype(np.int64)
    if hard:
        spelled = np.random.Generator(np.random.SFC64(total))  # its own stream: the records stay those of the plain delivery
        other = spelled.random(total, dtype=np.float32) < 0.1
        spelling[other] = spelled.integers(2, len(vocabulary.text) // vocabulary.size, int(other.sum()))
    text = vocabulary.text.take(pa.array(spelling * vocabulary.size + item))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(starts, type=pa.int32()), text), b",")


def _lines(
    random: np.random.Generator,
    ids: pa.BinaryArray,
    payload: pa.BinaryArray,
    bad: NDArray[np.bool_],
    hard: bool,
) -> bytes:
    """Lines of user ID, TAB and payload; malformed ones lack TAB or payload, in a hard delivery much else."""
    count = len(bad)
    kind = np.where(bad, random.integers(1, 3, count), 0)
    if hard:
        kind = np.where(bad, random.integers(1, 3 + len(BAD_ENDINGS), count), 0)
    tab = pa.array([b"\t", b" "] + [b"\t"] * (len(BAD_ENDINGS) + 1)).take(pa.array(kind))
    payload = pc.if_else(pa.array(kind == 2), pa.scalar(b""), payload)
    if hard:
        endings = pa.array([b""] * 4 + list(BAD_ENDINGS[1:]))
        payload = pc.binary_join_element_wise(payload, endings.take(pa.array(kind)), b"")
        colon = pa.array([b"", BAD_ENDINGS[0]]).take(pa.array((kind == 3).astype(np.int64)))
        ids = pc.binary_join_element_wise(ids, colon, b"")
    lines = pc.binary_join_element_wise(ids, payload, tab)
    if hard:
        line_ends = pa.array([b"", b"\r", b"\n", b"\r\n "]).take(pa.array(random.integers(0, 4, count)))
        lines = pc.binary_join_element_wise(lines, line_ends, b"")
    return _text(lines)


def _text(lines: pa.BinaryArray) -> bytes:
    """All lines as one text, each ended by LF."""
    one = pa.ListArray.from_arrays(pa.array([0, len(lines)], type=pa.int32()), lines)
    text: bytes = pc.binary_join(one, b"\n")[0].as_py()
    return text + b"\n"


def _fixed_width(characters: NDArray[np.uint8]) -> pa.BinaryArray:
    """A matrix of characters, one row per value, as an Arrow array."""
    count, width = characters.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(characters.tobytes())])


def _user_ids(users: Integers, seed: int) -> pa.BinaryArray:
    """Customer IDs: 16 hexadecimal digits."""
    octets = _mix(users, seed).astype(">u8").view(np.uint8).reshape(-1, 8)
    nibbles = np.stack([octets >> 4, octets & 15], axis=2).reshape(-1, 16)
    return _fixed_width(np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles])


def _uuids(users: Integers, salt: int) -> pa.BinaryArray:
    """Platform UUIDs: 38 decimal digits."""
    digits = np.empty((len(users), 38), dtype=np.uint8)
    for half in range(2):
        rest = _mix(users, salt * 2 + half + 7_919)
        for place in range(19):
            rest, digit = np.divmod(rest, np.uint64(10))
            digits[:, half * 19 + place] = digit + np.uint64(ord("0"))
    return _fixed_width(digits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write to; should be empty or absent")
    parser.add_argument("--records", type=int, default=2_000_000, help="records per partner and day (default 2 M)")
    parser.add_argument("--partners", type=int, default=1)
    parser.add_argument("--traits", type=int, default=20_000, help="traits of all partners together")
    parser.add_argument("--distinct", type=int, default=500_000, help="distinct items that no rule uses")
    parser.add_argument("--day", type=date.fromisoformat, default=date(2026, 1, 12))
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--keep-unmatched-days", type=int, default=30)
    parser.add_argument("--hard", action="store_true", help="every spelling of the grammar, more kinds of malformed lines")
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(make_delivery(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
