"""Which IDs have a link: asked for every record, so that the answer must not cost more the more links there are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numba import njit

from bsync_assets.exchange.octets import Flags, Offsets, Words, keyed_hash, octets_of, words_of
from bsync_assets.sqlfiles import one, sql

_ROWS_AT_ONCE = 1 << 20
_FREE, _INSTEAD_OF_FREE = np.uint64(0), np.uint64(1)


@dataclass(frozen=True)
class LinkedIds:
    """A hash table of IDs, 11 bytes each: 64 bits of a hash, whose key nobody knows, stand for namespace and ID.

    Among a hundred million IDs, one in 10^11 without a link would be taken for one of them. Its record would count as matched and
    reach nobody: profiles are found by the texts of IDs.
    """

    key: np.uint64
    slots: Words

    def among(self, records: pa.Table) -> pa.Array:
        """The numbers `rec` of the records (rec, namespace, user_id) whose ID is linked."""
        is_linked = np.zeros(len(records), np.bool_)
        first = 0
        for batch in records.to_batches():
            octets, start = octets_of(batch["user_id"].cast(pa.large_string()))
            namespaces = batch["namespace"].to_numpy()
            _find(words_of(octets), start, namespaces, self.key, self.slots, is_linked[first : first + len(batch)])
            first += len(batch)
        return records["rec"].filter(pa.array(is_linked))


#: Where no ID has a link.
NOBODY = LinkedIds(_FREE, np.zeros(1, np.uint64))


def linked_ids(con: duckdb.DuckDBPyConnection) -> LinkedIds:
    """The IDs that have a link, of the namespaces that the day's files use. Reads `current_link`, `data_file`."""
    query = sql(__file__, "linked_ids.sql")
    most = int(one(con, "SELECT count(*) FROM (" + query + ")"))
    linked = LinkedIds(np.uint64(secrets.randbits(64)), np.zeros(most * 4 // 3 + 1, np.uint64))
    for batch in con.execute(query).to_arrow_reader(_ROWS_AT_ONCE):
        octets, start = octets_of(batch["id"].cast(pa.large_string()))
        _enter(words_of(octets), start, batch["dpid"].to_numpy(), linked.key, linked.slots)
    return linked


@njit(cache=True, nogil=True, inline="always")
def _name(words: Words, start: Offsets, at: int, namespace: np.int64, key: np.uint64) -> np.uint64:
    """What stands for an ID of a namespace; never 0, which is a free slot."""
    hashed = keyed_hash(words, start[at], start[at + 1] - start[at], key ^ np.uint64(namespace))
    return hashed if hashed != _FREE else _INSTEAD_OF_FREE


@njit(cache=True, nogil=True, inline="always")
def _slot_of(name: np.uint64, slots: Words) -> np.uint64:
    """Where `name` stands, or would stand: there is always a free slot."""
    size = np.uint64(len(slots))
    slot = name % size
    while slots[slot] != _FREE and slots[slot] != name:
        slot = slot + np.uint64(1) if slot + np.uint64(1) < size else np.uint64(0)
    return slot


@njit(cache=True, nogil=True)
def _enter(words: Words, start: Offsets, namespaces: Offsets, key: np.uint64, slots: Words) -> None:
    for at in range(len(namespaces)):
        name = _name(words, start, at, namespaces[at], key)
        slots[_slot_of(name, slots)] = name


@njit(cache=True, nogil=True)
def _find(words: Words, start: Offsets, namespaces: Offsets, key: np.uint64, slots: Words, is_linked: Flags) -> None:
    for at in range(len(namespaces)):
        name = _name(words, start, at, namespaces[at], key)
        is_linked[at] = slots[_slot_of(name, slots)] == name
