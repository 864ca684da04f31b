"""Consent strings of the IAB's Transparency and Consent Framework, version 2: read, and judged (PRV-014 to PRV-017).

The one decoder on PyPI, iab-tcf, has been without a release since 2022, needs an abandoned C extension, takes any garbage for a
string with another version, and installs a top-level package `tests`. What is needed of a string is read here in forty lines,
and tested against strings that the IAB's own library made.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from functools import lru_cache

#: What the platform needs: store or access information on a device, develop and improve products (PRV-015).
REQUIRED_PURPOSES = frozenset({1, 10})

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
# Bits of the core segment in front of what is read here.
_VERSION_BITS, _PURPOSES_AT, _PURPOSES = 6, 152, 24
_VENDORS_AT = 213


@dataclass(frozen=True)
class Consent:
    """Purposes and vendors that the visitor consented to. Legitimate interest is no consent (PRV-015)."""

    purposes: frozenset[int]
    vendors: frozenset[int]

    def allows_platform(self, vendor_id: int) -> bool:
        """Whether the platform, vendor `vendor_id`, may take the call (PRV-015)."""
        return self.purposes >= REQUIRED_PURPOSES and vendor_id in self.vendors


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content)
        self._length = len(content) * 8
        self.at = 0

    def number(self, width: int) -> int:
        """The next `width` bits; ValueError past the end."""
        self.at += width
        if self.at > self._length:
            raise ValueError("the string is cut short")
        return (self._value >> (self._length - self.at)) & ((1 << width) - 1)

    def numbers_set(self, count: int) -> frozenset[int]:
        """Which of the next `count` bits are set, counted from 1."""
        field = self.number(count)
        return frozenset(i for i in range(1, count + 1) if field >> (count - i) & 1)


@lru_cache(maxsize=10_000)
def read_consent(text: str) -> Consent | None:
    """What a consent string says; None when it is not one of version 2, whole and in URL-safe base64 (PRV-014).

    The core segment comes first; what other segments say is not needed.
    """
    core = text.partition(".")[0].rstrip("=")
    if not _BASE64URL.fullmatch(core):
        return None
    try:
        bits = _Bits(urlsafe_b64decode(core + "=" * (-len(core) % 4)))
        if bits.number(_VERSION_BITS) != 2:
            return None
        bits.at = _PURPOSES_AT
        purposes = bits.numbers_set(_PURPOSES)
        bits.at = _VENDORS_AT
        return Consent(purposes, _vendors(bits))
    except (binascii.Error, ValueError):
        return None


def _vendors(bits: _Bits) -> frozenset[int]:
    """The vendor section: a bit per vendor, or ranges."""
    most = bits.number(16)
    if not bits.number(1):
        return bits.numbers_set(most)
    vendors: set[int] = set()
    for _ in range(bits.number(12)):
        is_range = bits.number(1)
        first = bits.number(16)
        last = bits.number(16) if is_range else first
        if not 1 <= first <= last <= most:
            raise ValueError("a range of vendors that is none")
        vendors.update(range(first, last + 1))
    return frozenset(vendors)
