"""A second reading of the file rules: plain Python, line by line, slow, sharing no code with the product.

Holds everything that decides what a day of files does to links, e-mail links, profiles and receipts. It
knows no database and no Dagster; `test_oracle.py` compares the product with it. IDs are pairs (dpid, value).
A catalog is `{"partners": [...], "data_sources": [...], "traits": [...]}` with the keys of the YAML files,
except that the rule of a trait is a tree: `("==", key, value)` (also `!=`, `>`, `contains`), `("and", a, b)`,
`("or", a, b)`, `("not", a)`.
"""

import gzip
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

Id = tuple[int, str]
Item = tuple[Any, ...]

UUID, LOWER = "[0-9]{38}", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ALPHANUMERIC = "(?=.{1,128}$)[0-9A-Za-z]+(-[0-9A-Za-z]+)*"
DEVICES = dict.fromkeys((0, 4), UUID)  # IDS-11 to IDS-21
DEVICES |= dict.fromkeys((20914, 121963, 488258, 1171485), LOWER) | {20915: LOWER.replace("a-f", "A-F")}
DEVICES |= dict.fromkeys((389146, 963906, 1171489), ALPHANUMERIC)
ODC_TYPES = dict.fromkeys(("android device id", "android_device_id", "android", "gaid"), 20914)
ODC_TYPES["idfa"] = 20915
EMAIL = re.compile(r"[^@\s]@[^@\s]+\.[^@\s]")  # so short, since long ones take the square of a long text
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
ID_COUNTERS = ("invalid_aam_id", "invalid_device_id")
LONGEST_LINE = 102400


class Name(NamedTuple):
    """A parsed file name. `logical` is the name without its split number, `split` is -1 without one."""

    family: str
    dpids: tuple[int, ...]
    mode: str
    split: int
    extension: str
    logical: str


class File(NamedTuple):
    """An accepted file; `lines` are the lines that are not blank, numbered from 1, without line end."""

    partner: str
    key: str
    arrival: datetime
    name: Name
    lines: list[tuple[int, bytes]]


class Record(NamedTuple):
    """A data line that is no format error; `fault` is set when its ID is no valid device ID."""

    kind: int | str
    user: str
    items: list[Item]
    fault: str | None


class Day(NamedTuple):
    """What a day is expected to report; the state it leads to is in the Oracle itself."""

    refused: dict[str, str]  # key -> code
    rejected: dict[tuple[str, int], str]  # (key, line number) of every line not stored -> reason
    receipts: dict[tuple[str, int, int], Counter[str]]  # (partner, DPID, target) -> counters
    sync_receipts: dict[str, Counter[str]]  # key -> counters


# -- file names --


def parse_name(name: str) -> Name | str:
    """The parsed name or its refusal code, checks in the order of INB-27 and IDS-42."""
    families = ("ftp_dpm_odc_", "ftp_dpm_", "adobe_id_", "c2c_id_")
    family = next((prefix for prefix in families if name.startswith(prefix)), None)
    if family is None:
        return "unknown_prefix"  # INB-11, IDS-31
    stem, _, rest = name[len(family) :].partition(".")
    mode, *suffixes = rest.split(".")
    if mode == "processed":
        return "already_processed"  # INB-05
    if mode != "sync" and (mode != "overwrite" or not family.startswith("ftp")):
        return "bad_mode"  # INB-21, IDS-38
    split, extension = -1, ""
    if suffixes and re.fullmatch("[0-9]{1,10}", suffixes[0]):
        split = int(suffixes.pop(0))  # INB-22, IDS-37
    if "gz" in suffixes and {"pgp", "gpg"} & set(suffixes):
        return "gz_and_pgp"  # INB-25
    if suffixes in (["zip"], ["gzip"]):
        return "unsupported_compression"  # INB-23, IDS-39
    if suffixes in (["gz"], ["pgp"], ["gpg"]):
        extension = "." + suffixes.pop()
    if suffixes:
        return "bad_suffix"
    *numbers, stamp = stem.split("_")
    if not re.fullmatch("[0-9]{10}", stamp):
        return "bad_timestamp"  # INB-19, IDS-36
    if not all(re.fullmatch("0|[1-9][0-9]{0,9}", number) for number in numbers):
        return "bad_dpid"  # IDS-06
    dpids = tuple(map(int, numbers))
    fewest, most = {"adobe_id_": (2, 10**9), "c2c_id_": (2, 2)}.get(family, (1, 2))
    if not fewest <= len(dpids) <= most:
        return "missing_dpid" if len(dpids) < fewest else "too_many_dpids"
    on_devices = [dpid in DEVICES for dpid in dpids]
    if family.startswith("ftp"):
        if on_devices == [True]:
            return "missing_target_data_owner"  # INB-13, INB-14
        if on_devices[1:] == [True]:
            return "target_is_global"  # INB-16
    elif len(set(dpids)) < len(dpids):
        return "duplicate_dpid"  # IDS-35
    elif family == "c2c_id_" and any(on_devices):
        return "device_dpid_in_c2c"  # IDS-34
    elif any(on_devices) and not on_devices[0]:
        return "device_id_not_first"  # IDS-62
    return Name(family, dpids, mode, split, extension, f"{family}{stem}.{mode}{extension}")


# -- lines --


def lines_of(content: bytes) -> list[tuple[int, bytes]]:
    """Numbered lines that are not blank: BOM dropped, LF or CRLF, last LF optional (INB-38, 39, IDS-50)."""
    lines = [line.removesuffix(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip(b" ")]


def text_of(line: bytes) -> str | None:
    """The line as text, None for bytes that are not UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def has_control(text: str) -> bool:
    """Whether a control character other than TAB occurs (INB-73, IDS-51)."""
    return any(unicodedata.category(c) == "Cc" for c in text if c != "\t")


def has_email(text: str) -> bool:
    """Whether an e-mail address occurs, `%40` read as `@` (INB-71, IDS-55)."""
    return EMAIL.search(text.replace("%40", "@")) is not None


def id_fault(kind: int | str, value: str, in_sync_file: bool) -> str | None:
    """Why `value` is no ID of its namespace: the DPID of a device namespace, `customer` or `hashed_email`."""
    if isinstance(kind, int):
        all_zero = kind not in (0, 4) and not value.strip("0-")  # IDS-22
        valid = re.fullmatch(DEVICES[kind], value) and not all_zero
        return None if valid else ID_COUNTERS[kind not in (0, 4)]
    if ":" in value or "%3a" in value.lower():
        return "colon_in_id"  # INB-70, IDS-53
    if in_sync_file and re.search("%[0-9A-Fa-f]{2}", value):
        return "url_encoded_id"  # IDS-54
    if has_email(value):
        return "pii"
    is_hash = re.fullmatch("[0-9a-f]{64}", value)
    return "bad_hash" if kind == "hashed_email" and not is_hash else None  # IDS-23


def parse_row(line: bytes, prefix: str, kinds: list[int | str]) -> list[str] | str:
    """The IDs of a sync row, or the reason to refuse it, in the order of IDS-58."""
    text = text_of(line)
    if len(line) > LONGEST_LINE:
        return "line_too_long"  # IDS-57
    if text is None:
        return "bad_encoding"
    if text.endswith(("\t", " ")):
        return "trailing_whitespace"  # IDS-48
    if has_control(text):
        return "control_char"
    ids = text.split("\t")
    if prefix == "c2c_id_" and len(ids) > 11:
        return "too_many_emails"  # IDS-56
    if prefix == "c2c_id_" and len(ids) > 1:
        kinds = kinds[:1] + kinds[1:] * (len(ids) - 1)
    if len(ids) != len(kinds):
        return "column_count"  # IDS-46
    if "" in ids:
        return "empty_id"  # IDS-47
    if any(value != value.strip(" ") for value in ids):
        return "whitespace_in_id"  # IDS-49
    faults = [id_fault(kind, value, in_sync_file=True) for kind, value in zip(kinds, ids, strict=True)]
    return next(filter(None, faults), ids)


def unquote(side: str) -> str | None:
    """A key or value without its quotes; None when it holds a quote and is not one quoted string (INB-55)."""
    side = side.strip(" ")
    if '"' not in side:
        return side
    return side[1:-1] if re.fullmatch('"[^"]*"', side) else None


def parse_item(text: str, overwrite: bool) -> Item | str:
    """An item in its normal form (INB-56 to INB-65), or the format error it makes of the whole line."""
    pair = re.fullmatch('((?:"[^"]*"|[^"=])*)=(.*)', text, re.DOTALL)
    key, value = (unquote(pair[1]), unquote(pair[2])) if pair else ("", text)
    if key is None or value is None:
        return "bad_quote"
    if has_email(value):
        return "pii"
    removal = "ignored" if overwrite else "remove"  # INB-61, INB-62, INB-104
    if not pair:
        if named := re.fullmatch("([0-9]{1,18}):(0|-1)", text):
            return (removal, int(named[1]))
        return ("bad" if re.search('[:"]', text) else "bare", text)  # INB-64, INB-65
    key = key.lstrip("-")  # INB-57
    word = key.lower()
    if word in ("d_sid", "d_unsid") and re.fullmatch("[0-9]{1,18}", value):
        return ("add" if word == "d_sid" else removal, int(value))  # INB-60, INB-61
    if word in ("", "d_sid", "d_unsid") or (word == "ic" and not value):
        return ("bad", text)
    return ("ic", value) if word == "ic" else ("kv", key, value)


def parse_line(line: bytes, name: Name, kind: int | str) -> Record | str:
    """A data line, or its format error: structure, payload, then ID (INB-75)."""
    text = text_of(line)
    if text is None:
        return "bad_encoding"
    if has_control(text):
        return "control_char"
    columns = [column.strip(" ") for column in text.split("\t")]  # INB-51
    odc = name.family == "ftp_dpm_odc_"
    if len(columns) != 2 + odc:
        return "no_tab" if len(columns) < 2 + odc else "extra_tab"  # INB-50
    *id_type, user, payload = columns
    if not user:
        return "empty_user_id"
    if odc:
        if id_type[0].lower() not in ODC_TYPES:
            return "unknown_id_type"  # INB-74
        kind = ODC_TYPES[id_type[0].lower()]
    if payload.count('"') % 2:
        return "unbalanced_quote"
    texts = [text.strip(" ") for text in re.findall('(?:"[^"]*"|[^",])+', payload)]  # INB-52, INB-54
    items = [parse_item(text, name.mode == "overwrite") for text in texts if text]
    if not items:
        return "empty_payload"  # INB-53
    spoilt = next((item for item in items if isinstance(item, str)), None)
    if spoilt:
        return spoilt
    fault = id_fault(kind, user, in_sync_file=False)
    if fault and fault not in ID_COUNTERS:
        return fault
    return Record(kind, user, [item for item in items if not isinstance(item, str)], fault)


# -- trait rules --


def rule_text(rule: Any) -> str:
    """The rule as an operator writes it in the catalog."""
    op, *rest = rule
    if op in ("and", "or"):
        return f"({rule_text(rest[0])} {op.upper()} {rule_text(rest[1])})"
    return f"NOT ({rule_text(rest[0])})" if op == "not" else f'{rest[0]} {op} "{rest[1]}"'


def comparisons(rule: Any) -> list[Any]:
    """The leaves of the rule, negated or not."""
    if rule[0] not in ("and", "or", "not"):
        return [rule]
    return [leaf for part in rule[1:] for leaf in comparisons(part)]


def holds(rule: Any, pairs: list[Item], sensitive: bool) -> bool:
    """Whether one record satisfies the rule; any pair may satisfy a comparison (TRT-040 to TRT-046)."""
    op, *rest = rule
    if op in ("and", "or", "not"):
        values = [holds(part, pairs, sensitive) for part in rest]
        return not values[0] if op == "not" else all(values) if op == "and" else any(values)
    fold = str if sensitive else str.lower
    key, operand = map(fold, rest)
    sent = [fold(value) for name, value in pairs if fold(name) == key]
    if op == ">":
        return any(Decimal(v.strip()) > Decimal(operand) for v in sent if NUMBER.fullmatch(v.strip()))
    return any({"==": v == operand, "!=": v != operand, "contains": operand in v}[op] for v in sent)


# -- days --


class Oracle:
    """The state of links and profiles; `run_day` takes a day's files and says what must come of them.

    `before` may hold `links` (list of (ID, device), oldest first), `emails` (ID -> list of (DPID, hash)),
    `profiles` (ID -> {trait: date of last realization}), `opted_out` (set of IDs), `active` (UUID ->
    date last seen).
    """

    def __init__(self, catalog: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        before = before or {}
        self.partners = {partner["name"]: partner for partner in catalog["partners"]}
        self.sources = {source["id"]: source for source in catalog["data_sources"]}
        self.traits = {trait["id"]: trait for trait in catalog["traits"]}
        self.links: dict[tuple[Id, Id], datetime | None] = dict.fromkeys(before.get("links", []))  # by age
        self.emails: dict[Id, list[Id]] = {i: list(mails) for i, mails in before.get("emails", {}).items()}
        self.profiles: dict[Id, dict[int, date]] = {i: dict(h) for i, h in before.get("profiles", {}).items()}
        self.opted_out: set[Id] = set(before.get("opted_out", ()))
        self.active: dict[Id, date] = dict(before.get("active", {}))
        self.seen: set[tuple[str, bytes]] = set()

    def run_day(self, day: date, files: list[tuple[str, str, datetime, bytes]]) -> Day:
        """Apply files (partner, key, arrival, content): all sync files, then data files (INB-97, INB-155)."""
        self.day, self.result = day, Day({}, {}, {}, {})
        self.devices: defaultdict[tuple[str, int, int], set[Id]] = defaultdict(set)
        admitted: list[File] = []
        for partner, key, arrival, content in files:
            if (key, content) in self.seen:
                continue  # INB-29
            self.seen.add((key, content))
            outcome = self.admit(partner, key, arrival, content)
            if isinstance(outcome, str):
                self.result.refused[key] = outcome
            else:
                admitted.append(outcome)
        admitted.sort(key=lambda f: (f.arrival, f.name.logical, f.name.split))
        self.apply_sync_files([f for f in admitted if not f.name.family.startswith("ftp")])
        units: dict[tuple[str, str], list[File]] = {}  # INB-105: all parts of an .overwrite, or a .sync
        for f in admitted:
            if f.name.family.startswith("ftp"):
                united = f.name.logical if f.name.mode == "overwrite" else f.key
                units.setdefault((f.partner, united), []).append(f)
        for parts in units.values():
            self.apply_data_file(parts)
        for held in self.profiles.values():
            for trait, last in list(held.items()):
                if 0 < self.traits[trait].get("ttl_days", 120) <= (day - last).days:
                    del held[trait]  # TRT-083
        return self.result

    def admit(self, partner: str, key: str, arrival: datetime, content: bytes) -> File | str:
        """The file, or the code that refuses it: name, registry, content (INB-40, INB-42, IDS-40)."""
        name = parse_name(key.rsplit("/", 1)[-1])
        if isinstance(name, str):
            return name
        allowed = {dpid for dpid, source in self.sources.items() if source.get("owner") == partner}
        allowed |= {*DEVICES, *self.partners[partner].get("access", [])}
        for i, dpid in enumerate(name.dpids):
            is_target = i == 1 and name.family.startswith("ftp")
            if dpid not in self.sources and dpid not in DEVICES:
                return "unknown_target" if is_target else "unknown_dpid"
            if dpid not in allowed:
                return "target_not_authorized" if is_target else "source_not_authorized"  # INB-17
        if name.family == "c2c_id_" and self.kind(name.dpids[1]) != "hashed_email":
            return "not_hashed_email_source"  # IDS-72
        if name.extension in (".pgp", ".gpg"):
            return "bad_pgp"  # nothing here is really encrypted
        if (name.extension == ".gz") != content.startswith(b"\x1f\x8b"):
            return "compression_mismatch"
        if name.extension == ".gz":
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):
                return "bad_gzip"
        if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
            return "bad_encoding"  # INB-38
        lines = lines_of(content)
        return File(partner, key, arrival, name, lines) if lines else "empty_file"  # INB-34

    def kind(self, dpid: int) -> int | str:
        """What the IDs of a namespace look like: a DPID (device namespace), `customer` or `hashed_email`."""
        return dpid if dpid in DEVICES else self.sources[dpid].get("label") or "customer"

    # ID sync

    def apply_sync_files(self, files: list[File]) -> None:
        """Rows with a device master first, then chained rows until nothing changes (IDS-60 to IDS-72)."""
        chained: list[tuple[File, int, list[Id], set[tuple[Id, Id]]]] = []
        for f in files:
            counts = self.result.sync_receipts[f.key] = Counter()
            kinds = [self.kind(dpid) for dpid in f.name.dpids]
            for number, line in f.lines:
                counts["records_received"] += 1
                ids = parse_row(line, f.name.family, kinds)
                if ids == "line_too_long":
                    counts["lines_over_length"] += 1
                else:
                    counts["records_processed"] += 1
                if isinstance(ids, str):
                    self.result.rejected[f.key, number] = ids
                    if ids != "line_too_long":
                        counts[ids if ids in ID_COUNTERS else "format_errors"] += 1  # IDS-59
                    continue
                dpids = f.name.dpids + f.name.dpids[1:] * (len(ids) - len(f.name.dpids))
                row = list(zip(dpids, ids, strict=True))
                if self.opted_out & set(row):
                    self.result.rejected[f.key, number] = "opted_out"
                    counts["opted_out"] += 1  # IDS-125
                elif f.name.family == "c2c_id_":
                    counts["stored_records"] += 1
                    for mail in row[1:]:
                        self.add_email(row[0], mail, counts)
                elif row[0][0] in DEVICES:
                    counts["stored_records"] += 1
                    self.active.update({one: self.day for one in row if one[0] == 0})
                    for other in row[1:]:
                        self.add_link(other, row[0], f.arrival, counts)
                else:
                    chained.append((f, number, row, set()))
        before: set[tuple[Id, Id]] | None = None
        while before != set(self.links):  # IDS-64
            before = set(self.links)
            for f, _, row, done in chained:
                for device in self.devices_of(row[0]):
                    for other in row[1:]:
                        if device not in self.opted_out and (other, device) not in done:
                            done.add((other, device))
                            self.add_link(other, device, f.arrival, self.result.sync_receipts[f.key])
        for f, number, row, done in chained:
            if not done:
                reason = "opted_out" if self.devices_of(row[0]) else "no_matching_aam_id"  # IDS-63, IDS-125
                self.result.rejected[f.key, number] = reason
            self.result.sync_receipts[f.key]["stored_records" if done else reason] += 1

    def devices_of(self, one: Id) -> list[Id]:
        """The devices an ID is linked to, oldest link first."""
        return [device for other, device in self.links if other == one]

    def add_link(self, other: Id, device: Id, seen: datetime, counts: Counter[str]) -> None:
        """Add or refresh: it becomes the newest; past a limit the oldest goes (IDS-65, IDS-135 to 137)."""
        counts["refreshed_mappings" if (other, device) in self.links else "new_mappings"] += 1
        self.links.pop((other, device), None)
        self.links[other, device] = seen
        if other[0] in DEVICES:
            return
        limits = (100, 10) if self.sources[other[0]].get("type") == "cross_device" else (1000, 1000)
        same_id = [link for link in self.links if link[0] == other]
        same_device = [link for link in self.links if link[1] == device and link[0][0] == other[0]]
        for links, limit in zip((same_id, same_device), limits, strict=True):
            if len(links) > limit:
                del self.links[links[0]]
                counts["evicted_mappings"] += 1

    def add_email(self, customer: Id, mail: Id, counts: Counter[str]) -> None:
        """Add or refresh a hashed e-mail; the ten newest stay (IDS-71)."""
        mails = self.emails.setdefault(customer, [])
        counts["refreshed_mappings" if mail in mails else "new_mappings"] += 1
        mails[:] = [known for known in mails if known != mail] + [mail]
        if len(mails) > 10:
            del mails[0]
            counts["evicted_mappings"] += 1

    # data

    def apply_data_file(self, parts: list[File]) -> None:
        """A `.sync` file record by record, or all parts of one `.overwrite` at once (INB-100 to INB-107)."""
        name = parts[0].name
        counts = self.result.receipts.setdefault((parts[0].partner, name.dpids[0], name.dpids[-1]), Counter())
        wanted: dict[Id, set[int]] = {}
        profiles_of: dict[str, set[Id]] = {}
        for user, profiles, adds, removes in (record for f in parts for record in self.records(f, counts)):
            for profile in profiles:
                self.profiles.setdefault(profile, {})
            if name.mode == "overwrite":
                profiles_of.setdefault(user, set()).update(profiles)
                for profile in profiles:
                    wanted.setdefault(profile, set()).update(adds)
            else:
                lost = {t for profile in profiles for t in removes if self.profiles[profile].pop(t, None)}
                counts["total_removed_traits"] += len(lost)  # INB-131
                for profile in profiles:
                    self.profiles[profile].update(dict.fromkeys(adds, self.day))
        lost_by: dict[Id, set[int]] = {}
        for profile, traits in wanted.items():
            held = self.profiles[profile]
            lost_by[profile] = {t for t in held if self.is_onboarded(t, name.dpids[-1])} - traits  # INB-102
            for trait in lost_by[profile]:
                del held[trait]
            held.update(dict.fromkeys(traits, self.day))
        for own in profiles_of.values():
            counts["total_removed_traits"] += len({t for profile in own for t in lost_by[profile]})

    def records(self, f: File, counts: Counter[str]) -> Iterator[tuple[str, list[Id], set[int], set[int]]]:
        """Count each line in its one category (INB-75); yields user, profiles, adds, removes if stored."""
        source, target = f.name.dpids[0], f.name.dpids[-1]
        facts, odc, odc_kind = self.sources.get(source, {}), f.name.family == "ftp_dpm_odc_", None
        column_kind = {"aam": 0, "ecid": 4}.get(facts.get("key", ""), self.kind(source))  # INB-67
        lines_by_user: Counter[bytes] = Counter()
        for number, line in f.lines:
            counts["records_received"] += 1
            if len(line) > LONGEST_LINE:
                self.result.rejected[f.key, number] = "line_too_long"
                counts["lines_over_length"] += 1  # INB-35
                continue
            column = (line.split(b"\t") + [b""])[odc].strip(b" ")
            lines_by_user[column] += 1
            if lines_by_user[column] > 200:
                self.result.rejected[f.key, number] = "over_user_limit"
                counts["lines_over_user_limit"] += 1  # INB-36
                continue
            counts["records_processed"] += 1
            record = parse_line(line, f.name, column_kind)
            if odc and isinstance(record, Record):
                odc_kind = odc_kind or record.kind
                record = record if record.kind == odc_kind else "mixed_id_type"  # INB-74
            if isinstance(record, str):
                self.result.rejected[f.key, number] = record
                counts["format_errors"] += 1
                continue
            is_device = isinstance(record.kind, int)
            own_profile = is_device or facts.get("type") == "cross_device"  # INB-90 to INB-93
            identity = (record.kind if isinstance(record.kind, int) else source, record.user)
            profiles = [identity] if own_profile else self.devices_of(identity)
            live = [profile for profile in profiles if profile not in self.opted_out]
            reason = record.fault
            if not reason and (identity in self.opted_out or (profiles and not live)):
                reason = "opted_out"  # INB-96: not evaluated, its signals do not count
            else:
                adds, removes = self.evaluate(record.items, target, counts)
                if not reason and not (live and adds | removes):
                    reason = "no_trait_realized" if live else "no_matching_aam_id"
            if reason:
                self.result.rejected[f.key, number] = reason
                counts[reason] += 1
                continue
            known = [profile for profile in live if profile[0] != 0 or self.is_active(profile)]
            counts["stored_records"] += 1  # INB-126
            counts["total_realized_traits"] += len(adds)  # INB-130
            counts["dropped_inactive"] += len(live) - len(known)  # INB-95
            counts["stored_unmatched"] += not is_device and own_profile and not self.devices_of(identity)
            group = self.devices[f.partner, source, target]
            group |= {profile for profile in known if profile[0] in DEVICES}
            counts["total_devices"] = len(group)  # INB-133
            yield record.user, known, adds, removes

    def evaluate(self, items: list[Item], target: int, counts: Counter[str]) -> tuple[set[int], set[int]]:
        """Traits to add and to remove; counts signals and failed traits (INB-80 to 87, INB-129, INB-132)."""
        rules = {t: self.traits[t].get("rule") for t in self.traits if self.is_onboarded(t, target)}
        sensitive = self.sources[target].get("case") == "sensitive"
        pairs = [("ic", item[1]) for item in items if item[0] in ("ic", "bare")]  # TRT-008
        pairs += [(item[1], item[2]) for item in items if item[0] == "kv"]
        adds = {t for t, rule in rules.items() if rule and holds(rule, pairs, sensitive)}
        removes: set[int] = set()
        failed: set[int] = set()
        leaves = [leaf for rule in rules.values() if rule for leaf in comparisons(rule)]
        for kind, value, *rest in items:
            used = False
            if kind in ("add", "remove"):
                used = value in rules
                (failed if not used else adds if kind == "add" else removes).add(value)
            elif kind in ("kv", "ic", "bare"):
                pair = (value, *rest) if kind == "kv" else ("ic", value)
                used = any(holds(leaf, [pair], sensitive) for leaf in leaves)  # INB-84
                if kind == "bare" and not used and re.fullmatch("[0-9]{1,18}", value) and int(value) in rules:
                    adds.add(int(value))  # INB-64
                    used = True
            counts["total_signals"] += 1
            counts["total_unused_signals"] += not used
        failed &= set(self.traits)  # INB-81
        counts["traits_failed_validation"] += len(failed)
        counts["records_with_failed_traits"] += bool(failed)
        return adds - removes, removes  # INB-87

    def is_onboarded(self, trait: int, target: int) -> bool:
        """Whether the trait may be changed by a file with this target (INB-66, INB-80)."""
        facts = self.traits[trait]
        return bool(facts["data_source"] == target and facts.get("kind", "onboarded") == "onboarded")

    def is_active(self, uuid: Id) -> bool:
        """Whether the platform knows the UUID and saw it in the last 120 days (TRT-085)."""
        return uuid in self.active and (self.day - self.active[uuid]).days < 120
