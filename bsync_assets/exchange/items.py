"""Lines of data files cut into the head, which says whose they are, and the items of the payload, each text once.

A large delivery holds hundreds of millions of items, and repeats them many thousand times: here they become small numbers, by
the positions of the characters that separate them, without a copy of any. What an item says is judged once per text, in SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_TAB, _COMMA, _QUOTE = 9, 44, 34
_MOST_TEXTS = 2_000_000  # bounds the memory that texts take, of which a file may have ever new ones
#: Columns that `split_lines` adds to a batch of lines. `head`: what stands before the payload, or the whole line where the TABs
#: are too few or too many; `unbalanced`: a quote of the payload is not closed (INB-55).
HEAD = pa.schema([("head", pa.large_string()), ("tabs", pa.int32()), ("unbalanced", pa.bool_())])


@dataclass(frozen=True)
class Split:
    """Lines with the columns of `HEAD`, and the pieces they consist of, which cover the text of all of them.

    The first piece of each line, `is_head`, is its head and missing as an item; each other one is an item with the TAB or comma
    before it. A line that is unsound as a whole is all head.
    """

    lines: pa.RecordBatch
    pieces: pa.LargeStringArray
    is_head: NDArray[np.bool_]


@dataclass(frozen=True)
class Tokens:
    """The items of the lines of a slice, in their order: of which line (its `rec`), and the number of their text.

    Items without text are left out (INB-52). `texts` is the dictionary, each text with the TAB or comma in front; so many of them
    are `known` from the slice before.
    """

    rec: NDArray[np.int32]
    item: NDArray[np.int32]
    texts: pa.LargeStringArray
    known: int


_NO_TEXTS = pa.array([], pa.large_string())
#: The tokens of lines that have no payload: those of ID-sync files.
NO_TOKENS = Tokens(np.zeros(0, np.int32), np.zeros(0, np.int32), _NO_TEXTS, 0)


def split_lines(lines: pa.RecordBatch, columns: NDArray[np.int64]) -> Split:
    """Cut lines (as `numbered_lines` yields them) at their payload; `columns` = how many stand before it, for each line.

    A comma inside quotes is data (INB-54). INB-50 to INB-55.
    """
    text = lines["text"]
    start = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    characters = np.frombuffer(text.buffers()[2] or b"", np.uint8)[: start[-1]]
    tab, comma, quote = (np.flatnonzero(characters == sign) for sign in (_TAB, _COMMA, _QUOTE))
    first_tab = np.searchsorted(tab, start)
    tabs = np.diff(first_tab)
    is_whole = (tabs == columns) & lines["flaw"].is_null().to_numpy(zero_copy_only=False)
    payload = start[1:].copy()  # other lines have none
    payload[is_whole] = tab[first_tab[:-1][is_whole] + columns[is_whole] - 1]

    commas = np.diff(np.searchsorted(comma, start))
    is_cut = comma > np.repeat(payload, commas)
    unbalanced = np.zeros(len(text), bool)
    if len(quote):
        quotes_before = np.searchsorted(quote, payload)
        quotes = np.searchsorted(quote, start[1:]) - quotes_before
        unbalanced = quotes % 2 == 1
        at = np.flatnonzero(np.repeat(quotes > 0, commas) & is_cut)
        is_cut[at] = (np.searchsorted(quote, comma[at]) - np.repeat(quotes_before, commas)[at]) % 2 == 0

    is_start = np.zeros(len(characters), bool)
    for position in (start[:-1], payload[is_whole], comma[is_cut]):
        is_start[position] = True
    piece = np.flatnonzero(is_start)
    is_head = np.zeros(len(piece), bool)
    is_head[np.searchsorted(piece, start[:-1])] = True
    validity = pa.py_buffer(np.packbits(~is_head, bitorder="little"))
    content = [pa.py_buffer(np.append(piece, start[-1])), text.buffers()[2]]
    pieces = pa.Array.from_buffers(pa.large_string(), len(piece), [validity, *content])
    head = pa.Array.from_buffers(pa.large_string(), len(piece), [None, *content]).filter(pa.array(is_head))
    columns_of_head = [head, pa.array(tabs.astype(np.int32)), pa.array(unbalanced)]
    whole = pa.RecordBatch.from_arrays([*lines.columns, *columns_of_head], names=[*lines.schema.names, *HEAD.names])
    return Split(whole, pieces, is_head)


def number_items(split: Sequence[Split], before: Tokens = NO_TOKENS) -> tuple[pa.Table, Tokens]:
    """The lines of a slice with their number `rec` and how many `items` they have, and these items.

    Texts of the slice `before` keep their numbers, unless there are too many of them: then numbers begin anew.
    """
    known = before.texts if len(before.texts) <= _MOST_TEXTS else _NO_TEXTS
    pieces = pa.chunked_array([known, *(part.pieces for part in split)])
    encoded = pieces.dictionary_encode().chunks or [_NO_TEXTS.dictionary_encode()]
    texts = encoded[-1].dictionary
    number = np.concatenate([chunk.indices.fill_null(-1).to_numpy() for chunk in encoded])[len(known) :]
    rec = np.cumsum(np.concatenate([part.is_head for part in split]), dtype=np.int32) - np.int32(1)
    is_blank = np.append(pc.equal(pc.binary_length(pc.utf8_rtrim(texts, " ")), 1).to_numpy(zero_copy_only=False), True)
    is_item = ~is_blank[number]
    tokens = Tokens(rec[is_item], number[is_item], texts, len(known))
    table = pa.Table.from_batches([part.lines for part in split])
    items = np.bincount(tokens.rec, minlength=len(table)).astype(np.int32)
    numbers = pa.array(np.arange(len(table), dtype=np.int32))
    return table.append_column("rec", numbers).append_column("items", pa.array(items)), tokens


def tokens_among(tokens: Tokens, items: NDArray[Any]) -> pa.Table:
    """The tokens (rec, item) whose item is one of these numbers."""
    is_chosen = np.zeros(len(tokens.texts), bool)
    is_chosen[items] = True
    chosen = is_chosen[tokens.item]
    return pa.table({"rec": tokens.rec[chosen], "item": tokens.item[chosen]})
