"""Signals that may be evaluated but not kept (TRT-006): judged before a call is written, so that only the verdict is.

A verdict names a comparison of a trait rule by a hash; neither key nor value of the signal can be found from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from bsync_assets.catalog.models import Catalog
from bsync_assets.rules.evaluation import load_comparisons, satisfy, verdict_name
from bsync_assets.rules.trait_rules import Comparison, parse_trait_rule
from bsync_assets.sync_server.capture import Record


def is_private(key: str) -> bool:
    """Whether signals of this key are never kept."""
    return key.lower().startswith("p_")


class PrivateSignals:
    """The comparisons of rule-based traits over private keys. Belongs to the writer's thread after it was made."""

    def __init__(self, catalog: Catalog) -> None:
        comparisons: dict[tuple[Comparison, bool], None] = {}
        for trait in catalog.traits.values():
            if trait.kind == "rule" and trait.rule is not None:
                is_case_sensitive = catalog.data_sources[trait.data_source].case == "sensitive"
                for comparison in parse_trait_rule(trait.rule).comparisons:
                    if is_private(comparison.key):
                        comparisons[comparison, is_case_sensitive] = None
        self._names = [verdict_name(*comparison) for comparison in comparisons]
        self._con = duckdb.connect() if comparisons else None
        if self._con is not None:
            self._con.execute("SET threads = 1")
            load_comparisons(self._con, list(comparisons))

    def judge(self, records: Sequence[Record]) -> None:
        """Replace the private signals of each record by what they satisfy."""
        pairs = {
            signal: number
            for number, signal in enumerate(dict.fromkeys(s for record in records for s in record.get("private", ())))
        }
        if not pairs:
            return
        satisfied: dict[int, list[str]] = {}
        if self._con is not None:
            items = {"item": pa.array(pairs.values(), pa.int64()), "key": [k for k, _ in pairs], "value": [v for _, v in pairs]}
            self._con.register("item", pa.table(items))
            satisfy(self._con)
            for item, comparison in self._con.execute("FROM satisfied").fetchall():
                satisfied.setdefault(item, []).append(self._names[comparison])
            self._con.unregister("item")
        for record in records:
            signals = record.pop("private", ())
            if names := sorted({name for signal in signals for name in satisfied.get(pairs[signal], ())}):
                record["satisfied"] = names
