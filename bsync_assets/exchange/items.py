"""Lines of data files cut into the head, which says whose they are, and the items of the payload, each text once.

A large delivery holds hundreds of millions of items and repeats them many thousand times: one pass over the bytes turns them into
small numbers. What an item says is judged once per text, in SQL. The pass is compiled, since nothing else goes through all bytes
one by one; it holds no lock of the interpreter.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from bsync_assets.exchange.octets import (
    AT_ONCE,
    EACH,
    NONE,
    Flags,
    Numbers,
    Octets,
    Offsets,
    Words,
    are_equal,
    count_octet,
    first_of,
    keyed_hash,
    octets_of,
    words_of,
    zeros,
)

_TAB, _BLANK, _QUOTE, _COMMA = 9, 32, 34, 44
_MOST_TEXTS = 2_000_000  # bounds the memory that texts take, of which a file may have ever new ones
_LENGTH_BITS = np.uint64(17)  # of a text, which is a part of a line of at most 102400 bytes (INB-35)
_LENGTH = np.uint64((1 << 17) - 1)
_HALF_BITS = np.uint64(32)
_HALF = np.uint64((1 << 32) - 1)
_TABS, _QUOTES, _COMMAS = (np.uint64(octet) * EACH for octet in (_TAB, _QUOTE, _COMMA))


@dataclass
class Texts:
    """Distinct texts by number, in the order in which they came, and a hash table that finds them.

    A slot is two words: half a hash with the number and one, and where the text begins with how long it is; all 0 is free. Equal
    hashes decide nothing: the texts are compared.
    """

    count: int = 0
    key: np.uint64 = field(default_factory=lambda: np.uint64(secrets.randbits(64)))
    octets: Octets = field(default_factory=lambda: np.zeros(1 << 16, np.uint8))
    start: Offsets = field(default_factory=lambda: np.zeros((1 << 12) + 1, np.int64))
    slots: Words = field(default_factory=lambda: np.zeros((1 << 13, 2), np.uint64))

    def since(self, number: int) -> pa.LargeStringArray:
        """The texts from this number on."""
        offsets = self.start[number : self.count + 1]
        content = self.octets[offsets[0] : offsets[-1]].copy()
        return pa.Array.from_buffers(
            pa.large_string(), self.count - number, [None, pa.py_buffer(offsets - offsets[0]), pa.py_buffer(content)]
        )

    def make_room(self, texts: int, octets: int) -> None:
        """Make sure that so many more texts of so many bytes together can be added."""
        self.octets = _grown(self.octets, int(self.start[self.count]) + octets + AT_ONCE)
        self.start = _grown(self.start, self.count + texts + 1)
        if 2 * (self.count + texts) > len(self.slots):
            entered = self.slots
            self.slots = np.zeros((1 << (2 * (self.count + texts)).bit_length(), 2), np.uint64)
            _move(entered, self.slots)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    if size <= len(array):
        return array
    grown = np.zeros(2 * size, array.dtype)
    grown[: len(array)] = array
    return grown


@dataclass(frozen=True)
class Tokens:
    """The items of the lines of a slice, in their order: of which line (its `rec`), and the number of their text.

    Items without text are left out (INB-52). `new` are the texts that were not known before, numbered from `known` on.
    """

    rec: Numbers
    item: Numbers
    new: pa.LargeStringArray
    known: int


def cut_lines(lines: pa.RecordBatch, columns: NDArray[np.int64], texts: Texts) -> tuple[pa.RecordBatch, Numbers]:
    """Cut lines (as `numbered_lines` yields them) into head and items; `columns` = how many stand before the payload of each.

    Answers the lines with `head`, which is the whole line where there is no payload, `tabs`, `unbalanced` (a quote of the payload
    is not closed), and how many `items` each has; and the numbers of the items, whose texts are added to `texts`. Items are
    without the blanks around them; a comma inside quotes is data. A line with a flaw or too many TABs has none. INB-50 to INB-55.
    """
    text = lines["text"]
    octets, start = octets_of(text)
    size = int(start[-1] - start[0])
    most_items = count_octet(octets[start[0] : start[-1]], _COMMA) + len(text)
    texts.make_room(most_items, size)
    is_sound = lines["flaw"].is_null().to_numpy(zero_copy_only=False)
    tabs, unbalanced, items = np.zeros(len(text), np.int32), np.zeros(len(text), np.bool_), np.zeros(len(text), np.int32)
    head, head_start = np.zeros(size, np.uint8), np.zeros(len(text) + 1, np.int64)
    numbers = np.zeros(most_items, np.int32)
    found, texts.count = _cut(
        octets, words_of(octets), start, columns, is_sound, tabs, unbalanced, items, head, head_start, numbers,
        int(np.diff(start).max(initial=0)) // 2 + 1, texts.octets, words_of(texts.octets), texts.start, texts.slots, texts.count,
        texts.key,
    )  # fmt: skip
    content = head[: head_start[-1]].copy()
    heads = pa.Array.from_buffers(pa.large_string(), len(text), [None, pa.py_buffer(head_start), pa.py_buffer(content)])
    added = {"head": heads, "tabs": pa.array(tabs), "unbalanced": pa.array(unbalanced), "items": pa.array(items)}
    cut = pa.RecordBatch.from_arrays([*lines.columns, *added.values()], names=[*lines.schema.names, *added])
    return cut, numbers[:found].copy()


def joined(cut: Sequence[tuple[pa.RecordBatch, Numbers]], texts: Texts, known: int) -> tuple[pa.Table, Tokens]:
    """The lines of a slice with their number `rec`, and their tokens if they were cut. Texts below `known` are not new."""
    table = pa.Table.from_batches([lines for lines, _ in cut])
    rec = np.arange(len(table), dtype=np.int32)
    numbers = np.concatenate([numbers for _, numbers in cut])
    of_token = np.repeat(rec, table["items"].to_numpy()) if len(numbers) else numbers
    tokens = Tokens(of_token, numbers, texts.since(known), known)
    return table.append_column("rec", pa.array(rec)), tokens


def texts_to_go_on_with(texts: Texts) -> Texts:
    """The texts for the next slice: the same, or none where they have become too many."""
    return texts if texts.count <= _MOST_TEXTS else Texts()


def tokens_among(tokens: Tokens, items: NDArray[Any]) -> pa.Table:
    """The tokens (rec, item) whose item is one of these numbers."""
    is_chosen = np.zeros(tokens.known + len(tokens.new), np.bool_)
    is_chosen[items] = True
    chosen = is_chosen[tokens.item]
    return pa.table({"rec": tokens.rec[chosen], "item": tokens.item[chosen]})


@njit(cache=True, nogil=True)
def _cut(
    octets: Octets,
    words: Words,
    start: Offsets,
    columns: Offsets,
    is_sound: Flags,
    tabs: Numbers,
    unbalanced: Flags,
    items: Numbers,
    head: Octets,
    head_start: Offsets,
    numbers: Numbers,
    most_of_line: int,
    known: Octets,
    known_words: Words,
    known_start: Offsets,
    slots: Words,
    count: int,
    key: np.uint64,
) -> tuple[int, int]:
    """Fill the arrays from `tabs` to `slots`; answers how many items there are, and how many texts are known then."""
    found = 0
    head_end = 0
    mask = np.uint64(len(slots) - 1)
    # The items of one line: where each begins and ends, its hash, and what stands in the slot where it should be.
    first, last = np.zeros(most_of_line, np.int64), np.zeros(most_of_line, np.int64)
    half, entry, place = np.zeros(most_of_line, np.uint64), np.zeros(most_of_line, np.uint64), np.zeros(most_of_line, np.uint64)
    begins_alike = np.zeros(most_of_line, np.bool_)
    for line in range(len(start) - 1):
        at = start[line]
        end = start[line + 1]
        while at < end:
            octet = octets[at]
            if octet == _TAB:
                tabs[line] += 1
                if tabs[line] == columns[line]:
                    break
            head[head_end] = octet
            head_end += 1
            at += 1
        head_start[line + 1] = head_end
        at += 1
        count_of_line = 0
        while at <= end and is_sound[line]:
            while at < end and octets[at] == _BLANK:
                at += 1
            begin = at
            quoted = False
            while at < end:
                word = words[at]
                special = zeros(word ^ _COMMAS) | zeros(word ^ _QUOTES) | zeros(word ^ _TABS)
                if special == NONE:
                    at = min(at + AT_ONCE, end)
                    continue
                at = min(at + first_of(special), end)
                if at == end or (octets[at] == _COMMA and not quoted):
                    break
                if octets[at] == _QUOTE:
                    quoted = not quoted
                elif octets[at] == _TAB:
                    tabs[line] += 1
                at += 1
            behind = at
            while behind > begin and octets[behind - 1] == _BLANK:
                behind -= 1
            at += 1
            unbalanced[line] |= quoted
            if begin < behind:
                first[count_of_line], last[count_of_line] = begin, behind
                half[count_of_line] = keyed_hash(words, begin, behind - begin, key) >> _HALF_BITS
                count_of_line += 1
        if tabs[line] != columns[line]:
            continue
        items[line] = count_of_line
        # Slots and texts lie anywhere in memory: all of a line are asked for before the first is needed.
        for k in range(count_of_line):
            entry[k], place[k] = slots[half[k] & mask, 0], slots[half[k] & mask, 1]
        for k in range(count_of_line):
            begins_alike[k] = known[np.int64(place[k] >> _LENGTH_BITS)] == octets[first[k]]
        for k in range(count_of_line):
            slot = half[k] & mask
            length = last[k] - first[k]
            is_same = (
                begins_alike[k]
                and entry[k] >> _HALF_BITS == half[k]
                and np.int64(place[k] & _LENGTH) == length
                and entry[k] & _HALF != 0
                and are_equal(words, first[k], known_words, np.int64(place[k] >> _LENGTH_BITS), length)
            )
            while not is_same and slots[slot, 0] & _HALF != 0:
                is_same = (
                    slots[slot, 0] >> _HALF_BITS == half[k]
                    and np.int64(slots[slot, 1] & _LENGTH) == length
                    and are_equal(words, first[k], known_words, np.int64(slots[slot, 1] >> _LENGTH_BITS), length)
                )
                if not is_same:
                    slot = (slot + np.uint64(1)) & mask
            if not is_same:
                position = known_start[count]
                slots[slot, 0] = (half[k] << _HALF_BITS) | np.uint64(count + 1)
                slots[slot, 1] = (np.uint64(position) << _LENGTH_BITS) | np.uint64(length)
                for octet_at in range(first[k], last[k]):
                    known[position] = octets[octet_at]
                    position += 1
                count += 1
                known_start[count] = position
            numbers[found] = np.int64(slots[slot, 0] & _HALF) - 1
            found += 1
    return found, count


@njit(cache=True, nogil=True)
def _move(entered: Words, slots: Words) -> None:
    """Enter all texts of one hash table into another, larger one."""
    mask = np.uint64(len(slots) - 1)
    for old in range(len(entered)):
        if entered[old, 0] != 0:
            slot = (entered[old, 0] >> _HALF_BITS) & mask
            while slots[slot, 0] != 0:
                slot = (slot + np.uint64(1)) & mask
            slots[slot, 0], slots[slot, 1] = entered[old, 0], entered[old, 1]
