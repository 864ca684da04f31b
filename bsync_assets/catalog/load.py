"""From the YAML files of a workspace to a `Catalog`, or to all the mistakes in them, each with its line.

Not here: what is allowed (`models`, `checks`); this module reads, asks them, and says where.
"""

from __future__ import annotations

import difflib
import gc
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bsync_assets.catalog.checks import Check, Declared, Place, item_problems
from bsync_assets.catalog.models import (
    Account,
    Catalog,
    DataSource,
    Destination,
    Limits,
    MailSettings,
    Mapping,
    Partner,
    PgpSettings,
    Retention,
    Segment,
    ServeSettings,
    Settings,
    Sync,
    Trait,
)

#: Section -> its file, in the order in which mistakes are listed.
FILES = {
    "settings": "bsync.yaml",
    "partners": "catalog/partners.yaml",
    "data_sources": "catalog/data_sources.yaml",
    "traits": "catalog/traits.yaml",
    "segments": "catalog/segments.yaml",
    "destinations": "catalog/destinations.yaml",
}


@dataclass(frozen=True)
class Mistake:
    """What is wrong at one place of one file. `field` is "" when that is the file as a whole.

    `line` counts from 1, the list items in `field` from 0: `traits[3].rule` is the rule of the fourth.
    """

    file: str
    line: int
    field: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in (f"{self.file}:{self.line}", self.field, self.problem) if part)


class CatalogError(Exception):
    """The declarations cannot be used. `mistakes` has all of them, in the order of files and lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def workspace_home() -> Path:
    """The workspace: environment variable BSYNC_HOME, or else the repository's `data/`. Always absolute."""
    named = os.environ.get("BSYNC_HOME")
    return Path(named).expanduser().resolve() if named else Path(__file__).resolve().parents[2] / "data"


def load_catalog(home: Path, checks: Iterable[Check] = ()) -> Catalog:
    """Read `bsync.yaml` (needed) and `catalog/*.yaml` (missing or empty = an empty list) of the workspace.

    `checks` are further judgements over what was read, such as that of the rules room. Raises `CatalogError`
    with the mistakes of all files.
    """
    found: _Found = {}
    with _no_garbage_collection():
        roots = {section: _parse(home / file, section, found) for section, file in FILES.items()}
        _unknown_files(home, found)
        declared = _declared(roots, found)
        for check in (item_problems, *checks):
            for problem in check(declared):
                _add(found, problem.place, problem.text)
    if found:
        raise CatalogError(_mistakes(found, roots))
    return Catalog(
        home=home.resolve(),
        settings=declared.settings,
        partners={partner.name: partner for partner in declared.partners},
        data_sources={source.id: source for source in declared.data_sources},
        traits={trait.id: trait for trait in declared.traits},
        segments={segment.id: segment for segment in declared.segments},
        destinations={destination.id: destination for destination in declared.destinations},
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Little becomes garbage in here, and looking for it among all the nodes would double the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# --- Mistakes: found by place, given their line at the end

#: Place -> (what is wrong, its line if that is not the line of the place).
_Found = dict[Place, tuple[str, int | None]]


def _add(found: _Found, place: Place, text: str, line: int | None = None) -> None:
    """Take in one mistake, unless its place or one around it has one: what follows from that is noise."""
    if not any(place[:length] in found for length in range(1, len(place) + 1)):
        found[place] = (text, line)


def _mistakes(found: _Found, roots: dict[str, yaml.Node | None]) -> list[Mistake]:
    rank = {file: position for position, file in enumerate(FILES.values())}
    mistakes = []
    for (section, *steps), (text, line) in found.items():
        file = FILES.get(str(section), str(section))
        top = () if section == "settings" else (section,)
        field = _dotted((*top, *steps)) if steps else ""
        mistakes.append(Mistake(file, line or _line(roots.get(str(section)), steps), field, text))
    return sorted(mistakes, key=lambda m: (rank.get(m.file, len(rank)), m.line, m.field))


def _line(node: yaml.Node | None, steps: Iterable[str | int]) -> int:
    """The line of the key or list item that the steps lead to; of the item around a key that is missing."""
    line = node.start_mark.line if node else 0
    for step in steps:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            pairs = [pair for pair in node.value if pair[0].value == step]
            if not pairs:
                break
            key, node = pairs[-1]
            line = key.start_mark.line
    return line + 1


def _dotted(steps: Iterable[str | int]) -> str:
    # repr keeps a key with a line break in it on the mistake's one line
    return "".join(f"[{s}]" if isinstance(s, int) else f".{repr(s)[1:-1]}" for s in steps).removeprefix(".")


# --- YAML: text to nodes, which know their lines, to plain values

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is some ten times faster
_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def _parse(path: Path, section: str, found: _Found) -> yaml.Node | None:
    """The root node of one file; None when the file is empty, missing or cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return yaml.compose(text, _LOADER)
    except FileNotFoundError:
        if section == "settings":
            what = "a workspace needs it, with at least account: {name, pid, start}"
            _add(found, (section,), f"not found in {path.parent}, {what}")
    except OSError as error:
        _add(found, (section,), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        _add(found, (section,), "expected UTF-8 text", error.object[: error.start].count(b"\n") + 1)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        what = ", ".join(part for part in (error.context, error.problem) if part)
        _add(found, (section,), f"not valid YAML: {what}", line)
    except yaml.reader.ReaderError as error:
        _add(found, (section,), f"not valid YAML: {error.reason}", text[: error.position].count("\n") + 1)
    return None


def _unknown_files(home: Path, found: _Found) -> None:
    """A file that nobody would read is most likely a misspelt one."""
    known = [file.removeprefix("catalog/") for file in FILES.values() if file.startswith("catalog/")]
    for path in sorted((home / "catalog").glob("*.y*ml")):
        if path.name not in known:
            _add(found, (f"catalog/{path.name}",), f"not a file of the catalog{_suggest(path.name, known)}")


def _value(node: yaml.Node | None, place: Place, found: _Found, around: tuple[yaml.Node, ...] = ()) -> Any:
    """The plain value of a node: dict, tuple, str, int, float, bool, date or None. It lies in `around`."""
    if node is None:
        return None
    if node.tag.startswith("!"):
        _add(found, place, f"YAML tag {node.tag} has no meaning here")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.tag.removeprefix(_TAG), node.value)
    if any(node is outer for outer in around):
        _add(found, place, "an alias to a list or mapping that it lies in")
        return None
    around = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(item, (*place, i), found, around) for i, item in enumerate(node.value))
    mapping: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            _add(found, place, "expected the name of a field, got a list or mapping", line)
            continue
        if key.value in mapping:
            _add(found, (*place, key.value), f"given twice, first on line {lines[key.value]}", line)
        lines.setdefault(key.value, line)
        mapping[key.value] = _value(value, (*place, key.value), found, around)
    return mapping


def _scalar(kind: str, text: str) -> str | int | float | bool | date | None:
    """What YAML 1.1 takes it for, but 010, 0x10, 1_000 and 1:30 stay text: nobody means what they say."""
    match kind:
        case "null":
            return None
        case "bool":
            return _BOOLEANS.get(text.lower(), text)
        case "int" if re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,30})", text):
            return int(text)
        case "float" if re.fullmatch(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)", text):
            return float(text)
        case "timestamp" if _is_date(text):
            return date.fromisoformat(text)
    return text


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# --- Values to models

_Model = TypeVar("_Model", bound=BaseModel)

#: Fields that hold an item, or a list of items, of their own kind: read one by one, each with its mistakes.
_NESTED: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    Settings: {
        "account": Account,
        "mail": MailSettings,
        "serve": ServeSettings,
        "pgp": PgpSettings,
        "limits": Limits,
        "retention": Retention,
    },
    Partner: {"sync": Sync, "pgp": PgpSettings},
}
_NESTED_LISTS: dict[type[BaseModel], dict[str, type[BaseModel]]] = {Destination: {"segments": Mapping}}

#: Type of a required field -> (what is expected there, what stands in for it once it is reported).
_REQUIRED: dict[object, tuple[str, object]] = {
    int: ("a whole number", 0),
    str: ("text", ""),
    date: ("a date like 2026-01-01", date.min),
    Account: ("a mapping {name, pid, start}", Account.model_construct(name="", pid=0, start=date.min)),
}

#: pydantic's kind of error -> what was expected, filled in from its context.
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "date_type": "a date like 2026-01-01",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_too_short": "text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text on one line",
    "value_error": "{error}",
}


def _declared(roots: dict[str, yaml.Node | None], found: _Found) -> Declared:
    settings = _value(roots["settings"], ("settings",), found)
    read_settings = _read(Settings, {} if settings is None else settings, ("settings",), found)
    destinations = _values(roots, "destinations", found)
    for item in destinations:
        if isinstance(item, dict) and "id" in item:
            item.setdefault("to", f"{read_settings.outbox.rstrip('/')}/{item['id']}")
    return Declared(
        settings=read_settings,
        partners=_read_all(Partner, _values(roots, "partners", found), ("partners",), found),
        data_sources=_read_all(DataSource, _values(roots, "data_sources", found), ("data_sources",), found),
        traits=_read_all(Trait, _values(roots, "traits", found), ("traits",), found),
        segments=_read_all(Segment, _values(roots, "segments", found), ("segments",), found),
        destinations=_read_all(Destination, destinations, ("destinations",), found),
        wrong=frozenset(found),
    )


def _values(roots: dict[str, yaml.Node | None], section: str, found: _Found) -> tuple[Any, ...]:
    value = _value(roots[section], (section,), found)
    if value is None or isinstance(value, tuple):
        return value or ()
    _add(found, (section,), f"expected a list, each item beginning with '- ', got {_shown(value)}")
    return ()


def _read_all(model: type[_Model], values: Iterable[Any], place: Place, found: _Found) -> list[_Model]:
    return [_read(model, value, (*place, i), found) for i, value in enumerate(values)]


def _read(model: type[_Model], value: Any, place: Place, found: _Found) -> _Model:
    """One item. What is wrong goes to `found`; that field has its default or a stand-in in the result."""
    if isinstance(value, dict):
        given = dict(value)
    else:
        _add(
            found,
            place,
            f"expected a mapping with {', '.join(_known_fields(model)[:3])} ..., got {_shown(value)}",
        )
        given = {}
    for name, inner in _NESTED.get(model, {}).items():
        if isinstance(given.get(name), dict):
            given[name] = _read(inner, given[name], (*place, name), found)
    for name, inner in _NESTED_LISTS.get(model, {}).items():
        if isinstance(given.get(name), tuple):
            given[name] = tuple(_read_all(inner, given[name], (*place, name), found))
    try:
        # by_name=False: a field with a name of its own in YAML goes by that name only
        return model.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
    for error in errors:
        _add(found, (*place, *error["loc"]), _problem(model, error))
    wrong = {error["loc"][0] for error in errors}
    required = {name: field.annotation for name, field in model.model_fields.items() if field.is_required()}
    stand_ins = {name: _REQUIRED[annotation][1] for name, annotation in required.items()}
    return model.model_construct(**stand_ins | {name: v for name, v in given.items() if name not in wrong})


def _known_fields(model: type[BaseModel]) -> list[str]:
    return [str(field.validation_alias or name) for name, field in model.model_fields.items()]


def _problem(model: type[BaseModel], error: ErrorDetails) -> str:
    value = error["input"]
    match error["type"]:
        case "missing":
            return f"missing, expected {_REQUIRED[model.model_fields[str(error['loc'][0])].annotation][0]}"
        case "extra_forbidden":
            known = _known_fields(model)
            return f"unknown field{_suggest(str(error['loc'][0]), known)}"
        case kind:
            expected = _EXPECTED[kind].format(**error.get("ctx", {}))
            return f"expected {expected}, got {_shown(value)}{_hint(kind, value)}"


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f", did you mean '{close[0]}'?" if close else f", expected one of {', '.join(known)}"


def _hint(kind: str, value: object) -> str:
    if kind == "int_type" and isinstance(value, str) and value.isdecimal() and value == str(int(value)):
        return ": leave the quotes off"
    if kind == "date_type" and isinstance(value, str) and _is_day(value):
        return ": leave the quotes off"
    if kind == "string_type" and isinstance(value, (bool, int, float, date)):
        return ": put it in quotes"
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case tuple():
            return "a list"
        case dict():
            return "a mapping"
        case str():
            value = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", value)  # a password in an address is no news for a log
            return repr(value if len(value) <= 60 else f"{value[:57]}...")
        case _:
            return str(value)
