"""Octets in numpy arrays: how compiled passes look at eight of them at once, as a word whose lowest part is the first."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[np.int32]
Offsets = NDArray[np.int64]
Octets = NDArray[np.uint8]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

#: How many octets a word holds: so much room must be behind what is looked at.
AT_ONCE = 8
NONE, ALL_BITS, EACH = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0x0101010101010101)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_HALF, _HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)
_TOP_OF_EACH, _PLACES = np.uint64(0x8080808080808080), np.uint64(0x0001020304050607)


def octets_of(texts: pa.LargeStringArray) -> tuple[Octets, Offsets]:
    """The octets of texts, with room behind for a whole word, and where each text begins; the last one's end is there too."""
    start = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    octets = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return (octets if len(octets) >= start[-1] + AT_ONCE else np.concatenate([octets, np.zeros(AT_ONCE, np.uint8)])), start


def words_of(octets: Octets) -> Words:
    """The eight octets from each position on, without a copy."""
    return np.ndarray((max(0, len(octets) - AT_ONCE + 1),), np.uint64, octets, strides=(1,))


@njit(cache=True, nogil=True)
def count_octet(octets: Octets, sought: int) -> int:
    """How often an octet stands there."""
    count = 0
    for octet in octets:
        count += octet == sought
    return count


@njit(cache=True, nogil=True, inline="always")
def zeros(word: np.uint64) -> np.uint64:
    """The top bit of each octet that is zero; above the first one, of others too."""
    return (word - EACH) & ~word & _TOP_OF_EACH


@njit(cache=True, nogil=True, inline="always")
def first_of(special: np.uint64) -> np.int64:
    """Which octet is the first whose top bit is set."""
    lowest = special & (~special + np.uint64(1))
    return np.int64(((lowest >> np.uint64(7)) * _PLACES) >> np.uint64(56))


@njit(cache=True, nogil=True, inline="always")
def are_equal(words: Words, first: np.int64, known_words: Words, position: np.int64, length: np.int64) -> bool:
    """Whether the octets of two texts of a length are the same."""
    whole = length - length % AT_ONCE
    for k in range(0, whole, AT_ONCE):
        if words[first + k] != known_words[position + k]:
            return False
    if whole == length:
        return True
    rest = (words[first + whole] ^ known_words[position + whole]) << np.uint64(64 - 8 * (length - whole))
    return bool(rest == NONE)


@njit(cache=True, nogil=True, inline="always")
def _folded(a: np.uint64, b: np.uint64) -> np.uint64:
    """Both halves of the product of two words, one on the other."""
    low, high = (a & _HALF) * (b & _HALF), (a >> _HALF_BITS) * (b >> _HALF_BITS)
    one, other = (a & _HALF) * (b >> _HALF_BITS), (a >> _HALF_BITS) * (b & _HALF)
    middle = (low >> _HALF_BITS) + (one & _HALF) + (other & _HALF)
    high += (one >> _HALF_BITS) + (other >> _HALF_BITS) + (middle >> _HALF_BITS)
    return high ^ ((low & _HALF) | (middle << _HALF_BITS))


@njit(cache=True, nogil=True, inline="always")
def keyed_hash(words: Words, first: np.int64, length: np.int64, key: np.uint64) -> np.uint64:
    """A word for a text; who has not the key cannot find texts that share it."""
    hashed = key
    for at in range(0, length, AT_ONCE):
        word = words[first + at]
        if length - at < AT_ONCE:
            word &= ALL_BITS >> np.uint64(64 - 8 * (length - at))
        hashed = _folded(word ^ key, hashed ^ _PRIME)
    return _folded(hashed ^ np.uint64(length), key ^ _PRIME)
