"""The templates in the catalog, judged when it loads: a `Check` for `load_catalog` (OUT-045)."""

from __future__ import annotations

from collections.abc import Iterator

from bsync_assets.catalog.checks import Declared, Place, Problem
from bsync_assets.catalog.models import Destination
from bsync_assets.exchange.destination_names import control_names, file_name
from bsync_assets.exchange.templates import Delivery, Kind, TemplateError, parse_template

_FIELDS: tuple[tuple[str, Kind], ...] = (("file_name", "name"), ("header", "header"), ("content", "content"))


def template_problems(declared: Declared) -> Iterator[Problem]:
    """Every template that is refused, as code and column, and names that would be those of the control file."""
    for i, destination in enumerate(declared.destinations):
        for name, kind in _FIELDS:
            text = getattr(destination, name)
            place: Place = ("destinations", i, name)
            if text is None or place in declared.wrong:
                continue
            try:
                template = parse_template(text, kind)
                whole = file_name(template, _example(destination), destination.gzip) if kind == "name" else None
            except TemplateError as error:
                yield Problem(place, f"{error.code} at column {error.column} in {text!r}")
                continue
            if whole is not None and control_names(whole)[0].lower() == whole.lower():
                yield Problem(place, f"{whole!r} would be the name of the control file too (OUT-090)")


def _example(destination: Destination) -> Delivery:
    """A delivery with everything that can come into a name."""
    return Delivery(
        destination.method, "full", destination.id, destination.dpid, destination.master_dpid, 1, destination.pid_alias,
        1_000_000_000_000, None,
    )  # fmt: skip
