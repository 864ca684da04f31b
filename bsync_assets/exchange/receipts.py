"""The arithmetic of receipts: which sums must hold before one may go out (INB-124, INB-125, IDS-147)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["data", "id_sync", "refused"]


@dataclass(frozen=True)
class Equation:
    """`result` = `start` less all of `less`, exact for every receipt and for every file of it."""

    result: str
    start: str
    less: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Every counter it names."""
        return (self.start, *self.less, self.result)

    def right_side(self, counters: Mapping[str, int]) -> int:
        """What `result` must be for these figures."""
        return counters[self.start] - sum(counters[name] for name in self.less)


EQUATIONS: dict[Kind, tuple[Equation, ...]] = {
    "data": (  # INB-124, INB-125
        Equation("records_processed", "records_received", ("lines_over_length", "lines_over_user_limit")),
        Equation(
            "stored_records",
            "records_processed",
            (
                "format_errors",
                "invalid_aam_id",
                "invalid_device_id",
                "opted_out",
                "no_matching_aam_id",
                "no_trait_realized",
            ),
        ),
    ),
    "id_sync": (  # IDS-147
        Equation("records_processed", "records_received", ("lines_over_length",)),
        Equation(
            "stored_records",
            "records_processed",
            ("format_errors", "invalid_aam_id", "invalid_device_id", "no_matching_aam_id", "opted_out"),
        ),
    ),
    "refused": (),
}


def balances(kind: Kind, counters: Mapping[str, int]) -> bool:
    """Whether all sums of this kind of receipt hold."""
    return all(counters[equation.result] == equation.right_side(counters) for equation in EQUATIONS[kind])
