"""Consent strings: those of the vectors, and real ones, made by the IAB's own library (@iabtcf/core 1.5) or from its tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsync_assets.sync_server.consent import read_consent

LINES = (Path(__file__).parents[1] / "vectors" / "consent.jsonl").read_text().splitlines()
STRINGS = [vector for vector in map(json.loads, LINES) if vector["kind"] == "tc_string"]


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in STRINGS])
def test_PRV_014_vector(vector: dict[str, Any]) -> None:
    consent = read_consent(vector["input"])
    if vector["result"] == "unreadable" or vector["result"]["version"] != 2:
        assert consent is None
    else:
        assert consent is not None
        assert (sorted(consent.purposes), sorted(consent.vendors)) == (vector["result"]["purposes"], vector["result"]["vendors"])


@pytest.mark.parametrize(
    ("text", "purposes", "vendors"),
    [
        ("CQuMEMAQuMEMAAKABBENBkEgAIBAAAAAAAAAEawAQEagAAAA.YAAAAAAAAAAA", [1, 10], [565]),
        (
            "CQuMEMAQuMEMAAKABBENBkEgAP_gAAAAAAAAH0QA4ABAATAjUCNwH0AAAAAA.YAAAAAAAAAAA",
            [*range(1, 12)],
            [2, 3, 4, 5, 6, 7, 8, 9, 565, 566, 567, 1000],
        ),
        ("CQuMEMAQuMEMAAKABBENBkEgAAAAAEBAAAAAAAAI1gAgI1AA.YAAAAAAAAAAA", [], []),  # legitimate interest only
        ("CQuMEMAQuMEMAAKABBENBkEgAIBAAAAAAAAAF5wAwAGAI1AXmAAbgAAA.YAAAAAAAAAAA", [1, 10], [12, 565, 755]),
        ("CQuMEMAQuMEMAAKABBENBkEgAIBAAAAAAAAAEbQAgEaAI2AAAAAA.YAAAAAAAAAAA", [1, 10], [564, 566]),
        ("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA", [2, 10], []),
        ("CO5VTlWO5VTlWH1AAAENAwCwAIAAAAAAAIAAAAoAAAAA.YAAAAAAAAAA", [1], [1]),
        ("COrVd1pOrVd1pACABCENAHCAAAAAAAAAAAiQAAAAAAAA", [], []),
        ("COwxsONOwxsONKpAAAENAdCAAMAAAAAAAAAAAAAAAAAA", [1, 2], []),
    ],
)
def test_real_strings(text: str, purposes: list[int], vendors: list[int]) -> None:
    consent = read_consent(text)
    assert consent is not None
    assert (sorted(consent.purposes), sorted(consent.vendors)) == (purposes, vendors)


@pytest.mark.parametrize("length", [*range(0, 48, 5), 37, 39, 41])
def test_PRV_014_cut_short(length: int) -> None:
    assert read_consent("CP1R2oAP1R2oAAKABAENBkEAAIBAAAAAAAggEawAQEagAAAA"[: min(length, 41)]) is None


@given(st.text(max_size=80))
def test_PRV_014_anything_is_read_or_not(text: str) -> None:
    consent = read_consent("C" + text)
    assert consent is None or consent.purposes <= set(range(1, 25))
