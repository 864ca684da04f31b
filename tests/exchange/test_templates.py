"""Templates beyond the vectors: positions, nesting, all macros, and text that must come back as it is."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.exchange.destination_names import control_names, default_name, file_name, parse_name_result
from bsync_assets.exchange.templates import Delivery, Kind, TemplateError, parse_template, template_results

CONTEXT: dict[str, Any] = {
    "SYNC_TYPE": "s3", "SYNC_MODE": "full", "ORDER_ID": 9, "DPID": 31, "MASTER_DPID": 500, "PID": 1, "PID_ALIAS": None,
    "ts_ms": 1718460306789, "part": None, "UUID": "42", "DP_UUID": "abc", "MCID": "7", "DP_UUID_LIST": ["abc", "def"],
    "SEGMENT_LIST": [
        {"sid": 10, "alias": "ten", "csegid": 77, "lastRealizationTime": 1000},
        {"sid": 9, "alias": None},
    ],
    "REMOVED_SEGMENT_LIST": [],
    "TRAIT_LIST": [{"traitId": 3, "type": 10, "lastRealized": 5}], "maps": [[1, 'a"b', 2], [1, "a", 2]],
}  # fmt: skip


_KINDS: tuple[Kind, ...] = ("name", "header", "content")


def rendered(template: str, kind: Kind = "content", **changes: Any) -> str:
    return template_results(kind, [{"template": template, "context": CONTEXT | changes}])[0]


@pytest.mark.parametrize(
    ("template", "kind", "code", "column"),
    [
        ("<SYNC_TYPE>_<ORDER_ID.sync", "name", "E_SYNTAX", 22),
        ("a<if(UUID)>b", "content", "E_SYNTAX", 13),
        ("ab<endif>", "content", "E_SYNTAX", 4),
        ("ab<nothing>", "content", "E_UNKNOWN_MACRO", 4),
        ("<if(nothing)>x<endif>", "content", "E_UNKNOWN_MACRO", 5),
        ("<if(UUID)>x<endif>", "header", "E_MACRO_CONTEXT", 5),
        ("<TAB>", "name", "E_MACRO_CONTEXT", 2),
        ("<SEGMENT_LIST:{s|<s.sid>,<s.nothing>}>", "content", "E_UNKNOWN_ATTRIBUTE", 27),
        ("<SEGMENT_LIST:{s|<t.sid>}>", "content", "E_UNKNOWN_ATTRIBUTE", 19),
        ("<s.sid>", "content", "E_SYNTAX", 3),
        ("<TRAIT_LIST; separator=PIPE>", "content", "E_OPTION", 14),
        ('<TRAIT_LIST; separator=","; separator=",">', "content", "E_OPTION", 29),
        ("<UUID:{s|x}>", "content", "E_OPTION", 2),
        ('<TIMESTAMP; format="">', "name", "E_FORMAT", 13),
        ('<DPUUIDS; format="dpids=1|format=json">', "content", "E_FORMAT", 11),
        ("<if(DPUUIDS)>x<endif>", "content", "E_FORMAT", 5),
        ("a b.sync", "name", "E_NAME_CHARS", 1),
        ('<TIMESTAMP; format="HH:mm">.sync', "name", "E_NAME_CHARS", 2),
    ],
)
def test_out_045_code_and_column(template: str, kind: Kind, code: str, column: int) -> None:
    with pytest.raises(TemplateError) as refused:
        parse_template(template, kind)
    assert (refused.value.code, refused.value.column) == (code, column)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("< DP_UUID ><SEGMENT_LIST : { s | <s.sid> } ; separator = COMMA >", "abc 9 , 10 "),  # OUT-040: blanks in, blanks out
        ("{<DP_UUID>}SPLITNUM", "{abc}SPLITNUM"),  # OUT-041; the word is a macro in file names only
        ("<SEGMENT_LIST:{s|<s.csegid>/<s.segmentId>/<s.lastUpdateTime>;}>", "9/9/;77/10/1000;"),  # OUT-050
        ("<SEGMENT_LIST:{s|<TRAIT_LIST:{t|<s.sid>-<t.Id>}>}; separator=TAB>", "9-3\t10-3"),
        ('<DP_UUID_LIST:{u|<UUID>}; separator="; ">', "42; 42"),
        ("<if(UUID)>u<if(PID_ALIAS)>a<endif><endif><if(DP_UUID_LIST && MCID)>!<endif>", "u!"),  # OUT-043
        ("<REMOVED_SEGMENT_LIST><PIDALIAS>", ""),
        ('<DPUUIDS; format="dpids=1|maxMappings=0|format=json">', '[["1","a"],["1","a\\"b"]]'),  # OUT-048: ties by ID
        ('<TIMESTAMP; format="dd.MM.yyyy HH:mm:ss">', "15.06.2024 14:05:06"),
        ("\\\\<a\\<", "\\<a<"),
    ],
)
def test_content(template: str, text: str) -> None:
    assert rendered(template) == text


_texts = st.lists(st.text(st.characters(exclude_characters="<\\", exclude_categories=["Cs"]), max_size=40), min_size=5)
_attempts = st.lists(st.text('<>{}|;=".:&()\\ ifendAUID_SGMTLsx', max_size=60), min_size=10, max_size=30)


def answers(templates: list[str], kind: Kind) -> list[str]:
    return template_results(kind, [{"template": template, "context": CONTEXT} for template in templates])


@given(_texts)
@settings(max_examples=10, deadline=None)
def test_out_044_text_comes_back_as_it_is(texts: list[str]) -> None:
    assert answers([text + "<DP_UUID>" for text in texts], "content") == [text + "abc" for text in texts]
    assert answers(texts, "header") == texts


@given(_attempts)
@settings(max_examples=15, deadline=None)
def test_out_045_a_saved_template_never_fails(texts: list[str]) -> None:
    for kind in _KINDS:
        for text, answer in zip(texts, answers(texts, kind), strict=True):
            try:
                parse_template(text, kind)
            except TemplateError as refused:
                assert answer == refused.code
                assert 1 <= refused.column <= len(text) + 1
            else:
                assert not answer.startswith("E_") or (kind == "name" and answer == "E_NAME_CHARS")


def test_out_045_deep_nesting_is_refused() -> None:
    assert rendered("<if(UUID)>" * 1000 + "x" + "<endif>" * 1000) == "E_SYNTAX"


def _delivery(part: int | None = None, ts_ms: int = 1486140843000, alias: str | None = None) -> Delivery:
    return Delivery("ftp", "full", 1234, 888, 20915, 1, alias, ts_ms, part)


@pytest.mark.parametrize(
    ("template", "names", "control"),
    [
        (None, ("ftp_1234_20915_full_1486140843000.sync.gz", "ftp_1234_20915_full_1486140843000002.sync.gz"),
         ("ftp_1234_20915_full_1486140843000.info", "ftp_1234_20915_full_1486140843000.sync")),
        ("x_<TIMESTAMP>.csv", ("x_1486140843.csv.gz", "x_1486140843002.csv.gz"), ("x_1486140843.info", "x_1486140843.csv")),
        ("x.<TIMESTAMP>.csv.gz", ("x.1486140843.csv.gz", "x.1486140843002.csv.gz"), ("x.1486140843.info", "x.1486140843.csv")),
        ("SPLITNUMx<SPLITNUM>", ("x.gz", "002x002.gz"), ("x.info", "x")),
        ("<if(PID_ALIAS)>SPLITNUM<endif>a.b", ("a.b.gz", "a002.b.gz"), ("a.info", "a.b")),
    ],
)  # fmt: skip
def test_out_083_out_090_names_of_parts(template: str | None, names: tuple[str, str], control: tuple[str, str]) -> None:
    parsed = None if template is None else parse_template(template, "name")
    assert tuple(file_name(parsed, _delivery(part), gzip=True) for part in (None, 2)) == names
    assert control_names(names[0]) == control


@given(
    st.integers(1, 10**6), st.integers(0, 10**9), st.none() | st.text(string.ascii_letters + string.digits + ".-", min_size=1),
    st.sampled_from(["full", "iter"]), st.integers(10**12, 10**13 - 1), st.none() | st.integers(1, 10**4), st.booleans(),
)  # fmt: skip
def test_out_036_a_default_name_reads_back(
    destination: int, master: int, alias: str | None, mode: str, ts_ms: int, part: int | None, gzip: bool
) -> None:
    name = default_name(Delivery("s3", mode, destination, 1, master, 1, alias, ts_ms, part), gzip)
    assert parse_name_result(name) == {
        "method": "s3", "destination_id": destination, "master_dpid": master, "pid_alias": alias, "mode": mode,
        "timestamp_ms": ts_ms, "part": part, "kind": "sync", "gzip": gzip,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["ftp_1_2_iter_148614084300.sync", "ftp_1_2_iter_1486140843000.sync\n", "x", "ftp_1_2_iter_14861408430001.sync"]
)
def test_out_036_other_names_are_refused(name: str) -> None:
    assert parse_name_result(name) == "E_SYNTAX"


def test_out_036_older_names_number_parts_with_a_dash() -> None:
    parsed = parse_name_result("FTP_1_2_ITER_1486140843000-3.SYNC")
    assert isinstance(parsed, dict)
    assert (parsed["method"], parsed["mode"], parsed["part"]) == ("ftp", "iter", 3)
