"""What the items of each record ask for: the tokens of a slice against the effects of their texts.

One compiled pass: a record has two dozen items, a large slice ten million, and most of them mean nothing. What an item means is
decided once per text, in `effects.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from bsync_assets.exchange.data_lines import Slice
from bsync_assets.exchange.items import Flags, Numbers, Offsets

#: Effects as numbers. `anchor`: a rule of several terms can hold; `term`: one of its terms holds; `failed`: a foreign trait.
_EFFECTS = ("add", "remove", "anchor", "failed", "term")
_ADD, _REMOVE, _ANCHOR, _FAILED, _TERM = range(len(_EFFECTS))


def ask(con: duckdb.DuckDBPyConnection, given: Slice) -> None:
    """Make the temp views `asked(rec, trait_id, effect)`, `anchored_token(rec, item)` and `signals(rec, used, asks)`.

    Reads `effect` and `countable(rec, context, is_sound)`, the records whose items count as signals.

    - `asked`: one row per record, trait and kind of effect. Add and remove are one kind, and a removal wins (INB-86, INB-87).
      Only `failed` are of records that are not sound, too.
    - `anchored_token`: the items that are terms, of records in which a rule of several terms can hold.
    - `signals`: per record how many of its signals are used (INB-84), and whether an item adds or removes a trait by itself.
    """
    tokens, records = given.tokens, given.records
    context, is_sound = np.full(records, -1, np.int32), np.zeros(records, np.bool_)
    countable = con.execute("SELECT rec, context, is_sound FROM countable").fetchnumpy()
    context[countable["rec"]], is_sound[countable["rec"]] = countable["context"], countable["is_sound"]
    effect = con.execute(f"""
        SELECT DISTINCT item, context, list_position({list(_EFFECTS)}, effect)::INTEGER - 1 AS effect,
            CASE WHEN effect <> 'term' THEN trait_id END AS trait_id
        FROM effect ORDER BY item
    """).fetchnumpy()  # fmt: skip
    kind = np.asarray(effect["effect"])
    trait_ids, trait = np.unique(np.ma.filled(effect["trait_id"], -1), return_inverse=True)
    starts = np.searchsorted(effect["item"], np.arange(tokens.known + len(tokens.new) + 1))
    most = int(np.diff(starts)[tokens.item].sum())
    out: Mapping[str, NDArray[Any]] = {name: np.zeros(most, np.int32) for name in ("rec", "trait", "effect")}
    used, asks, is_anchored = np.zeros(records, np.int32), np.zeros(records, np.bool_), np.zeros(records, np.bool_)
    found = _ask(
        tokens.rec, tokens.item, context, is_sound, starts, np.asarray(effect["context"]), kind, trait.astype(np.int32),
        np.full((3, len(trait_ids)), -1, np.int32), out["rec"], out["trait"], out["effect"], used, asks, is_anchored,
    )  # fmt: skip
    con.register("asked", pa.table({
        "rec": out["rec"][:found], "trait_id": trait_ids[out["trait"][:found]],
        "effect": pa.DictionaryArray.from_arrays(pa.array(out["effect"][:found]), pa.array(_EFFECTS)),
    }))  # fmt: skip
    con.register("signals", pa.table({"rec": np.arange(records, dtype=np.int32), "used": used, "asks": asks}))
    is_term = np.zeros(len(starts), np.bool_)
    is_term[effect["item"][kind == _TERM]] = True
    chosen = np.flatnonzero(is_term[tokens.item] & is_anchored[tokens.rec])
    con.register("anchored_token", pa.table({"rec": tokens.rec[chosen], "item": tokens.item[chosen]}))


@njit(cache=True, nogil=True)
def _ask(
    rec: Numbers,
    item: Numbers,
    context: Numbers,
    is_sound: Flags,
    starts: Offsets,
    effect_context: Numbers,
    effect: Numbers,
    trait: Numbers,
    last: Numbers,
    out_rec: Numbers,
    out_trait: Numbers,
    out_effect: Numbers,
    used: Numbers,
    asks: Flags,
    is_anchored: Flags,
) -> int:
    """Fill the arrays from `out_rec` on; answers how many rows there are.

    `last`: per kind of effect and trait, the row in which a record asked for it last.
    """
    found = 0
    for token in range(len(rec)):
        record = rec[token]
        if context[record] < 0:
            continue
        is_used = False
        for at in range(starts[item[token]], starts[item[token] + 1]):
            if effect_context[at] != context[record]:
                continue
            what = effect[at]
            is_used |= what != _FAILED
            if what == _TERM or not (is_sound[record] or what == _FAILED):
                continue
            kind = 0 if what == _REMOVE else 1 if what == _ANCHOR else 2 if what == _FAILED else 0
            row = last[kind, trait[at]]
            if row >= 0 and out_rec[row] == record:
                if what == _REMOVE:
                    out_effect[row] = _REMOVE
                continue
            last[kind, trait[at]] = found
            out_rec[found] = record
            out_trait[found] = trait[at]
            out_effect[found] = what
            found += 1
            if kind == 0:
                asks[record] = True
            elif kind == 1:
                is_anchored[record] = True
        used[record] += is_used
    return found
