"""Calls, beyond the vectors: limits, sentinels, encodings, signals, and the same ID forms as in SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.exchange import data_lines
from bsync_assets.exchange.calls import NotACall, call_result, id_problem, parse_call
from bsync_assets.exchange.namespaces import DEVICE_DPIDS, id_form

VECTORS = [json.loads(line) for line in (Path(__file__).parents[1] / "vectors" / "calls.jsonl").read_text().splitlines()]
U1 = "1" + "0" * 36 + "1"


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    result = call_result(vector["input"])
    assert {key: result.get(key) for key in vector["result"]} == vector["result"]


@pytest.mark.parametrize(
    ("url", "ids", "errors"),
    [
        ("ibs:dpid=4101&dpuuid=u1&dpid=4102&dpuuid=u2", [[4101, "u1", None]], []),  # IDS-81: the first one wins
        ("ibs:dpid=1&dpuuid=a&d_dpid=2&d_dpuuid=b&d_cid=3%01c", [[1, "a", None], [2, "b", None], [3, "c", None]], []),
        ("ibs:dpid=04101&dpuuid=u1", [], [104, 300]),  # IDS-06
        ("ibs:dpid=12345678901&dpuuid=u1", [], [104, 300]),
        ("ibs:dpid=4101&dpuuid=%20", [], [104, 300]),  # IDS-84: blank
        ("ibs:dpid=4101&dpuuid=a%0Ab", [], [104, 300]),
        ("ibs:dpid=4101&dpuuid=0", [], [104, 300]),
        ("ibs:dpid=4101&dpuuid=NULL", [], [104, 300]),
        ("ibs:dpid=4101&dpuuid=00000000-0000-0000-0000-000000000000", [], [104, 300]),
        ("ibs:dpid=20914&dpuuid=00000000-0000-0000-0000-000000000000", [], [104, 312]),  # IDS-22
        ("ibs:dpid=0&dpuuid=12", [], [102, 104]),  # IDS-110
        ("ibs:dpid=4&dpuuid=12", [], [101, 104]),
        ("ibs:", [], [104, 300]),
        ("event?k=v", [], []),
        ("event?d_uuid=12", [], [102]),
        ("event?d_cid=4101%01u%01", [], [104, 300]),  # IDS-103
        ("event?d_cid=4101%01u%010%01x", [], [104, 300]),  # IDS-101: at most three parts
        ("event?d_cid=1%01a&d_cid=%01b&d_cid=x%01c", [[1, "a", None]], [300, 300]),
        ("event?d_cid=4101%01u%011&d_cid=4101%01u%011", [[4101, "u", 1]], []),  # IDS-104
        ("ibs:dpid=4101&dpuuid=%E9", [], [311]),  # IDS-83
        ("ibs:dpid=4101&dpuuid=u&x%=1", [], [311]),
    ],
)
def test_ids(url: str, ids: list[Any], errors: list[int]) -> None:
    result = call_result(f"https://sync.example/{url}")
    assert (result["ids"], result["errors"]) == (ids, errors)


def test_IDS_105_namespace_limit_first() -> None:
    pairs = [f"d_cid={dpid}%01{n}{dpid}" for dpid in (11, 12, 13, 14) for n in "abcd"]
    result = call_result("https://s/event?" + "&".join(pairs))
    assert [dpid for dpid, *_ in result["ids"]] == [11, 11, 11, 12, 12, 12, 13, 13, 13, 14]
    assert result["errors"] == [301, 309, 309, 310, 310, 310, 310]


@pytest.mark.parametrize("redir", ["//v.example", "/x", "https:/v.example", "ftp://v.example", "https%253A%252F%252Fv.example",
                                   "https://v.example/%0d%0aSet-Cookie:x=1", "", "https:", "https:///x"])  # fmt: skip
def test_IDS_87_ignored(redir: str) -> None:
    call = parse_call(f"/ibs:dpid=4101&dpuuid=u1&redir={redir}")
    assert call.redir_ignored and call.redir is None and call.ids


def test_INB_170_signals() -> None:
    call = parse_call("/event?k=a,b%2Cc&k=a&123=x&9a.b=+&d_sid=5,6,x&p_q=1&gdpr=0&gdpr_consent=&d_cid=1%01u&_x=1")
    assert call.signals == (("k", "a"), ("k", "b,c"), ("9a.b", "+"), ("p_q", "1"))  # TRT-002, TRT-003, TRT-007
    assert call.trait_ids == (5, 6)


def test_INB_170_post() -> None:
    assert parse_call("/event?a=1", b"b=2&d_cid=7%01u").signals == (("a", "1"), ("b", "2"))


def test_PRV_051_signal_with_email() -> None:
    assert parse_call("/event?mail=jo%40example.com").refused == "pii"
    assert parse_call("/event?mail=jo%2540example.com").refused == "pii"


def test_signals_do_not_multiply_a_long_call() -> None:
    call = parse_call("/event?" + "k" * 9000 + "=" + "," * 9000 + "&" + "j=" + "," * 9000)
    assert call.signals == (("j", ""),)


@pytest.mark.parametrize("path", ["/", "/ids", "/ID?x", "/event/", "/ibs", "//ibs:dpid=1", "/demoptout.png", "/%69bs:dpid=1"])
def test_other_paths_are_no_calls(path: str) -> None:
    with pytest.raises(NotACall):
        parse_call(path)
    assert call_result(f"https://s{path}") == {"reject": "unknown_call"}


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_call_or_none(query: bytes, body: bytes) -> None:
    call = parse_call(b"/event?" + query, body)
    assert list(call.errors) == sorted(call.errors) and len(call.ids) <= 10


FORMS = sorted({id_form(dpid) for dpid in DEVICE_DPIDS} | {"customer", "hashed_email"})
IDS = st.one_of(
    st.text(alphabet="0123456789abcdefABCDEF-:@%.40 ", max_size=70),
    st.from_regex(r"\A[0-9]{37,39}\Z|\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{11,12}\Z|\A[0-9a-f]{63,65}\Z|\A[0-]+\Z"),
    st.text(alphabet="aZ9-", min_size=120, max_size=135),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(IDS, min_size=1, max_size=30))
def test_same_forms_as_in_sql(ids: list[str]) -> None:
    with duckdb.connect() as con:
        data_lines.prepare(con)
        for form in FORMS:
            judged = con.execute(
                "SELECT list(id_problem($form, id)) FROM (SELECT unnest($ids) AS id)", {"form": form, "ids": ids}
            )
            assert judged.fetchone() == ([id_problem(form, value) for value in ids],)
