"""The batch of `bsync explain` answers whatever it is asked: one line for each, never an error of its own."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsync_assets.explain.machine import KINDS, answer_batch

Json = st.SearchStrategy[Any]

_WORDS = [
    "context",
    "line",
    "line_hex",
    "rule",
    "signals",
    "expression",
    "traits",
    "state",
    "format",
    "template",
    "P",
    "1",
    "sid",
]
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["sync", "2026-01-05", "1T"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=3), inner, max_size=8),
    max_leaves=15,
)
_DATES = st.sampled_from(["0001-01-01", "6999-12-31", "9999-12-31", "2026-01-05", "2026-01-01"])
_TRAITS = st.sampled_from(["1", "2", "3", "0", "-1", "99999999999999999999"])
_EXPRESSIONS = ["1T", "1T AND NOT 2T", "frequency([1T, 2T] <= 7D) >= 2", "frequency([2T] >= 999999999999999999D) == 0 AND 1T"]


def _with(optional: dict[str, Json], **needed: Json) -> Json:
    return st.fixed_dictionaries(needed, optional=optional)


_TRAIT = _with(
    {"owner": st.sampled_from(["own", "3p"]), "ttl": st.integers(0, 10**12), "contains": st.lists(st.integers(0, 4), max_size=3)},
    type=st.sampled_from(["onboarded", "rule", "folder", "algorithmic"]),
)
_REALIZED = st.lists(st.tuples(_DATES, st.integers(-3, 10**20)), max_size=3)
_DATA = _with(
    {},
    format=st.sampled_from(["standard", "odc"]),
    mode=st.sampled_from(["sync", "overwrite"]),
    id_key=st.sampled_from(["customer", "aam", "ecid", "hashed_email", 0, 4, 20914, 20915, 389146, 55, -1, 10**30]),
)
_SYNC = _with(
    {},
    prefix=st.sampled_from(["adobe_id", "c2c_id"]),
    master=st.sampled_from([0, 21, 20915, 10**30]),
    dpids=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    labels=st.dictionaries(st.sampled_from(["1", "2"]), st.just("hashed_email"), max_size=2),
)
_LINES = st.text(st.sampled_from('u1\t,="-: @.%3A\r\x00\x7f\u0085é\ud800\ufeff'), max_size=25)
_ITEM = _with(
    {"alias": st.none() | st.text(max_size=2), "csegid": st.integers(), "lastUpdateTime": st.integers()}, sid=st.integers()
)
_TEMPLATES = [
    '<DP_UUID><TAB><SEGMENT_LIST; separator="|">', '<TIMESTAMP; format="yyyyMMdd">',
    "<SEGMENT_LIST:{s|<s.sid>,<s.lastUpdateTime>}>",
    "<TRAIT_LIST:{t|<t.traitId>:<t.type>}>", '<DPUUIDS; format="dpids=31|maxMappings=1|format=json">',
    "<if(SEGMENT_LIST && PID_ALIAS)>x<endif>",
]  # fmt: skip

#: Kind -> inputs of its shape, if not always within reason.
_SHAPED: dict[str, Json] = {
    "filename": st.text(max_size=40) | st.sampled_from(["ftp_dpm_1_0000000000.sync", "a/b/c", "://"]),
    "line": _with({}, context=_DATA | _SYNC, line=_LINES)
    | _with({}, context=_DATA | _SYNC, line_hex=st.binary(max_size=20).map(bytes.hex)),
    "url": st.text(max_size=40) | st.sampled_from(["/ibs:dpid=1&dpuuid=%zz", "https://x/id?d_cid=1%01a%012", "http://[::1/ibs:"]),
    "trait_rule": _with(
        {"case": st.sampled_from(["sensitive", "insensitive"])},
        rule=st.sampled_from(["a > 1", 'a == "x" AND NOT b != 2', 'a matchesregex "(a|b)*"']) | st.text(max_size=20),
        signals=st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=5) | st.just("9" * 60)), max_size=4),
    ),
    "key_name": st.text(max_size=10),
    "segment": _with(
        {},
        expression=st.sampled_from(_EXPRESSIONS) | st.text(max_size=20),
        profiles=st.lists(st.sampled_from("PQ"), max_size=3),
        business_day=_DATES,
        traits=st.dictionaries(_TRAITS, _TRAIT, max_size=4),
        state=st.dictionaries(st.sampled_from("PQR"), st.dictionaries(_TRAITS, _REALIZED, max_size=3), max_size=2),
    ),
    "content_template": _with(
        {},
        template=st.sampled_from(_TEMPLATES) | st.text(st.sampled_from('<>ab;|{}"& \\'), max_size=12),
        context=_with(
            {
                "DP_UUID": st.none() | st.text(max_size=3),
                "SEGMENT_LIST": st.none() | st.lists(_ITEM, max_size=2),
                "TRAIT_LIST": st.lists(_with({}, traitId=st.integers(), type=st.integers()), max_size=2),
                "maps": st.lists(st.tuples(st.integers(), st.text(max_size=2), st.integers()), max_size=2),
                "ts_ms": st.integers(),
            }
        ),
    ),
}
_QUESTIONS = st.one_of(
    st.tuples(st.sampled_from(sorted(KINDS)), _ANYTHING),
    *(st.tuples(st.just(kind), inputs) for kind, inputs in _SHAPED.items()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(questions=st.lists(_QUESTIONS, min_size=5, max_size=25))
def test_every_question_is_answered_in_its_place(questions: list[tuple[str, Any]]) -> None:
    lines = [json.dumps({"kind": kind, "input": given}).encode() for kind, given in questions]

    answers = [json.loads(answer) for answer in answer_batch(lines, columns=True)]

    assert all(("result" in answer) != ("error" in answer) for answer in answers)
    alone = [json.loads(answer) for line in lines[:2] for answer in answer_batch([line], columns=True)]
    assert answers[:2] == alone and len(answers) == len(questions)
