"""What each record asks for: the tokens of a slice against the effects of their texts.

One compiled pass: a record has two dozen items, a large slice ten million, and most of them mean nothing. What an item means is
decided once per text, in `effects.sql`, and a rule of several terms once per combination of satisfied terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
from numba import njit

from bsync_assets.exchange.data_lines import Slice
from bsync_assets.exchange.octets import Flags, Numbers, Offsets, Words
from bsync_assets.rules.expressions import Expression, holds
from bsync_assets.sqlfiles import show, sql

#: Effects as numbers. `anchor`: a rule of several terms can hold; `failed`: a foreign trait is named. See `effects.sql`.
_EFFECTS = ("add", "remove", "anchor", "failed", "used", "foreign", "foreign_removal")
_OFTEN = 10  # what is seen less often in a slice is no unused signal worth reporting
_COUNTED_IN_PLACE = 20_000_000
_ADD, _REMOVE, _ANCHOR, _FAILED, _USED, _FOREIGN, _FOREIGN_REMOVAL = range(len(_EFFECTS))


@dataclass
class Rules:
    """Rules that need more than one satisfied term, by trait, and what was found of combinations of their terms."""

    expressions: dict[int, Expression] = field(default_factory=dict)
    found: dict[tuple[int, ...], bool] = field(default_factory=dict)

    def hold(self, trait: int, satisfied: tuple[int, ...]) -> bool:
        """Whether the rule of `trait` is true if just these terms are, given as bits of 64-bit words."""
        key = (trait, *satisfied)
        if key not in self.found:
            terms = {64 * i + bit for i, word in enumerate(satisfied) for bit in range(64) if word >> bit & 1}
            self.found[key] = holds(self.expressions[trait], terms)
        return self.found[key]


def ask(con: duckdb.DuckDBPyConnection, rules: Rules, given: Slice) -> Flags:
    """Make the temp views `operation` and `signals`; answers which tokens are unused signals.

    Reads `effect` and `countable(rec, file, line_no, context, is_sound, is_kept)`, the records whose items count as signals.

    - `operation(file, line_no, trait_id, operation)`: one row per kept record and trait to add or to remove, where a removal wins
      (INB-86, INB-87).
    - `signals(rec, counts, used, asks, added, failed)`: per record of the slice whether its items count, how many are used
      (INB-84), whether it adds or removes a trait, how many it adds, and how many foreign traits it names.
    """
    tokens, records = given.tokens, given.records
    context, is_sound, is_kept = np.full(records, -1, np.int32), np.zeros(records, np.bool_), np.zeros(records, np.bool_)
    file, line_no = np.zeros(records, np.int32), np.zeros(records, np.int64)
    countable = con.execute("SELECT rec, file, line_no, context, is_sound, is_kept FROM countable").fetchnumpy()
    for of_record, name in (
        (context, "context"),
        (is_sound, "is_sound"),
        (is_kept, "is_kept"),
        (file, "file"),
        (line_no, "line_no"),
    ):
        of_record[countable["rec"]] = countable[name]
    effect = con.execute(sql(__file__, "effects_in_order.sql"), {"effects": list(_EFFECTS)}).fetchnumpy()
    term = con.execute(sql(__file__, "terms_in_order.sql")).fetchnumpy()
    # Traits as small numbers, in ascending order; terms are sought by item, context and trait.
    traits = np.unique(np.concatenate([np.ma.filled(effect["trait_id"], -1), np.asarray(term["trait_id"])]))
    trait = np.searchsorted(traits, np.ma.filled(effect["trait_id"], -1)).astype(np.int32)
    wanted = np.asarray(term["context"], np.int64) * len(traits) + np.searchsorted(traits, np.asarray(term["trait_id"]))
    items = np.arange(tokens.known + len(tokens.new) + 1)
    starts, term_starts = np.searchsorted(effect["item"], items), np.searchsorted(term["item"], items)
    effects_of = np.diff(starts).astype(np.int32)
    most = _total(effects_of, tokens.item)
    rec, which, what = np.zeros(most, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32)
    words = 1 + int(np.max(term["term"], initial=0)) // 64
    satisfied, is_named = np.zeros((most, words), np.uint64), np.zeros(most, np.bool_)
    used, asks, is_unused = np.zeros(records, np.int32), np.zeros(records, np.bool_), np.zeros(len(tokens.item), np.bool_)
    rows = _ask(
        tokens.rec, tokens.item, context, is_sound, effects_of > 0, starts,
        np.asarray(effect["context"]), np.asarray(effect["effect"]), trait,
        term_starts, wanted, np.asarray(term["term"]), np.full((3, len(traits)), -1, np.int32),
        rec, which, what, satisfied, is_named, used, asks, is_unused,
    )  # fmt: skip
    anchored = np.flatnonzero(what[:rows] == _ANCHOR)
    one_of_each, number = _combinations(which[anchored], satisfied[anchored])
    holding = np.array(
        [rules.hold(int(traits[which[row]]), tuple(satisfied[row].tolist())) for row in anchored[one_of_each]], np.bool_
    )
    realized = anchored[holding[number] & ~is_named[anchored]] if len(anchored) else anchored
    what[realized] = _ADD
    asks[rec[realized]] = True
    of_file, of_kind = np.empty(rows, np.int32), np.empty(rows, np.int32)
    of_line, of_trait = np.empty(rows, np.int64), np.empty(rows, np.int64)
    added, failed = np.zeros(records, np.int32), np.zeros(records, np.int32)
    kept = _sort_out(rec[:rows], which, what, is_kept, file, line_no, traits, of_file, of_line, of_trait, of_kind, added, failed)
    operations = pa.DictionaryArray.from_arrays(pa.array(of_kind[:kept]), pa.array(_EFFECTS))
    show(con, "operation", pa.table({
        "file": of_file[:kept], "line_no": of_line[:kept], "trait_id": of_trait[:kept], "operation": operations,
    }))  # fmt: skip
    show(con, "signals", pa.table({
        "rec": np.arange(records, dtype=np.int32), "counts": context >= 0, "used": used, "asks": asks, "added": added,
        "failed": failed,
    }))  # fmt: skip
    return is_unused


def _combinations(which: Numbers, satisfied: Words) -> tuple[Offsets, Offsets]:
    """Rows with the same trait and satisfied terms have the same number; answers one row of each number, and the numbers."""
    one_of_each, number = np.unique(which, return_index=True, return_inverse=True)[1:]
    for word in satisfied.T:
        values, position = np.unique(word, return_inverse=True)
        one_of_each, number = np.unique(number * len(values) + position, return_index=True, return_inverse=True)[1:]
    return one_of_each, number


def count_unused(con: duckdb.DuckDBPyConnection, given: Slice, is_unused: Flags) -> None:
    """Make the temp view `unused_item(sender, item, hits)` of the items that a sender said ten times or more for nothing.

    Reads `resolved` and `sender(file, sender, partner, target)`.
    """
    sender_of = np.zeros(given.records, np.int32)
    of_records = con.execute("SELECT rec, sender FROM resolved INNER JOIN sender ON sender.file = resolved.file").fetchnumpy()
    sender_of[of_records["rec"]] = of_records["sender"]
    tokens, first = given.tokens, int(sender_of.min())
    texts, senders = tokens.known + len(tokens.new), int(sender_of.max()) - first + 1
    if senders * texts <= _COUNTED_IN_PLACE:
        hits = _hits(tokens.rec, tokens.item, is_unused, sender_of, first, np.zeros((senders, texts), np.int64)).ravel()
        often = np.flatnonzero(hits >= _OFTEN)
        hits = hits[often]
    else:
        said = (sender_of[tokens.rec[is_unused]].astype(np.int64) - first) * texts + tokens.item[is_unused]
        often, hits = np.unique(said, return_counts=True)
        often, hits = often[hits >= _OFTEN], hits[hits >= _OFTEN]
    sender, which = np.divmod(often, texts)
    show(con, "unused_item", pa.table({"sender": sender + first, "item": which, "hits": hits}))


@njit(cache=True, nogil=True)
def _hits(token_rec: Numbers, item: Numbers, is_unused: Flags, sender_of: Numbers, first: int, hits: Offsets) -> Offsets:
    """Count in `hits`, by sender (from `first` on) and item, the tokens that are unused."""
    for token in range(len(item)):
        if is_unused[token]:
            hits[sender_of[token_rec[token]] - first, item[token]] += 1
    return hits


@njit(cache=True, nogil=True)
def _total(of_item: Numbers, item: Numbers) -> int:
    """The sum over all tokens of what is counted per item."""
    total = 0
    for each in item:
        total += of_item[each]
    return total


@njit(cache=True, nogil=True)
def _ask(
    token_rec: Numbers,
    item: Numbers,
    context: Numbers,
    is_sound: Flags,
    has_effect: Flags,
    starts: Offsets,
    effect_context: Numbers,
    effect: Numbers,
    trait: Numbers,
    term_starts: Offsets,
    wanted: Offsets,
    term: Numbers,
    last: Numbers,
    rec: Numbers,
    which: Numbers,
    what: Numbers,
    satisfied: Words,
    is_named: Flags,
    used: Numbers,
    asks: Flags,
    is_unused: Flags,
) -> int:
    """Fill the arrays from `rec` on; answers how many rows there are.

    `context`: twice the number of the target, odd for overwrite, which knows no removal.
    `last`: per kind of effect and trait, the row in which a record asked for it last. `satisfied`: per row with an anchor which
    terms of its rule hold; `is_named`: whether the record adds or removes the trait anyway.
    """
    rows = 0
    token = 0
    meant = np.zeros(len(item), np.int32)  # the items of the record that mean something
    while token < len(item):
        record = token_rec[token]
        first_row, anchors, meaningful = rows, 0, 0
        while token < len(item) and token_rec[token] == record:
            is_used = False
            if context[record] >= 0:
                if has_effect[item[token]]:  # most items mean nothing
                    meant[meaningful] = item[token]
                    meaningful += 1
                    for at in range(starts[item[token]], starts[item[token] + 1]):
                        meaning = effect[at]
                        if meaning in (_FOREIGN, _FOREIGN_REMOVAL):
                            is_own = effect_context[at] // 2 == context[record] // 2
                            if is_own or (meaning == _FOREIGN_REMOVAL and context[record] % 2):
                                continue
                            meaning = _FAILED
                        elif effect_context[at] != context[record]:
                            continue
                        is_used |= meaning != _FAILED
                        if meaning == _USED or not (is_sound[record] or meaning == _FAILED):
                            continue
                        kind = 1 if meaning == _ANCHOR else 2 if meaning == _FAILED else 0
                        row = last[kind, trait[at]]
                        if row >= 0 and rec[row] == record:
                            if meaning == _REMOVE:
                                what[row] = _REMOVE
                            continue
                        last[kind, trait[at]] = rows
                        rec[rows], which[rows], what[rows] = record, trait[at], meaning
                        rows += 1
                        asks[record] |= kind == 0
                        anchors += kind == 1
                used[record] += is_used
                is_unused[token] = not is_used
            token += 1
        if anchors == 0:
            continue
        for row in range(first_row, rows):
            if what[row] != _ANCHOR:
                continue
            row_named = last[0, which[row]]
            is_named[row] = row_named >= 0 and rec[row_named] == record
            sought = np.int64(context[record]) * last.shape[1] + which[row]
            for each in meant[:meaningful]:
                low, end = term_starts[each], term_starts[each + 1]
                high = end
                while low < high:
                    middle = (low + high) // 2
                    if wanted[middle] < sought:
                        low = middle + 1
                    else:
                        high = middle
                while low < end and wanted[low] == sought:
                    satisfied[row, term[low] // 64] |= np.uint64(1) << np.uint64(term[low] % 64)
                    low += 1
    return rows


@njit(cache=True, nogil=True)
def _sort_out(
    rec: Numbers,
    which: Numbers,
    what: Numbers,
    is_kept: Flags,
    file: Numbers,
    line_no: Offsets,
    traits: Offsets,
    of_file: Numbers,
    of_line: Offsets,
    of_trait: Offsets,
    of_kind: Numbers,
    added: Numbers,
    failed: Numbers,
) -> int:
    """Fill `of_file` to `of_kind` with what kept records add and remove, and count per record; answers how many there are."""
    kept = 0
    for row in range(len(rec)):
        record, meaning = rec[row], what[row]
        if meaning == _FAILED:
            failed[record] += 1
        elif meaning != _ANCHOR:
            added[record] += meaning == _ADD
            if is_kept[record]:
                of_file[kept], of_line[kept] = file[record], line_no[record]
                of_trait[kept], of_kind[kept] = traits[which[row]], meaning
                kept += 1
    return kept
