"""Lines cut into head and items, against plain Python: INB-50 to INB-55. The texts have numbers that last from slice to slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.exchange import items
from bsync_assets.exchange.items import Texts, cut_lines, joined, texts_to_go_on_with
from bsync_assets.exchange.lines import numbered_lines

LINES = st.lists(
    st.text(alphabet='ab=," \tü', min_size=1, max_size=30).filter(lambda line: line.strip(" ")), min_size=1, max_size=8
)


def plainly(line: str, columns: int) -> list[str]:
    """The items of a line, one character after the other."""
    parts = line.split("\t")
    if len(parts) != columns + 1:
        return []
    found, quoted = [""], False
    for character in parts[columns]:
        quoted ^= character == '"'
        if character == "," and not quoted:
            found.append("")
        else:
            found[-1] += character
    return [item.strip(" ") for item in found if item.strip(" ")]


def cut(lines: list[str], columns: int, texts: Texts, known: int = 0) -> tuple[list[list[str]], list[dict[str, object]]]:
    """(items of each line, each line as a row)."""
    (batch,) = numbered_lines(["".join(f"{line}\n" for line in lines).encode()])
    table, tokens = joined([cut_lines(batch, np.full(len(batch), columns), texts)], texts, known)
    names = texts.since(0).to_pylist()
    of_line: list[list[str]] = [[] for _ in lines]
    for rec, item in zip(tokens.rec.tolist(), tokens.item.tolist(), strict=True):
        of_line[rec].append(names[item])
    assert tokens.new.to_pylist() == names[known:]
    return of_line, table.to_pylist()


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from([1, 2]))
def test_INB_50_54_55_as_plain_python_cuts(lines: list[str], columns: int) -> None:
    texts = Texts()
    found, rows = cut(lines, columns, texts)
    assert found == [plainly(line, columns) for line in lines]
    for line, row in zip(lines, rows, strict=True):
        parts = line.split("\t")
        assert row["items"] == len(plainly(line, columns))
        if len(parts) == columns + 1:
            assert row["tabs"] == columns
            assert row["head"] == "\t".join(parts[:columns])
            assert row["unbalanced"] == (parts[columns].count('"') % 2 == 1)
        else:
            assert row["tabs"] != columns
    again, _ = cut(lines, columns, texts, texts.count)
    assert again == found and len(set(texts.since(0).to_pylist())) == texts.count


def test_numbers_last_while_the_table_grows() -> None:
    texts, numbers = Texts(), {}
    for start in range(0, 60_000, 20_000):
        found, _ = cut([f"u\tk={n},k={n // 2}" for n in range(start, start + 20_000)], 1, texts, texts.count)
        assert found[7] == [f"k={start + 7}", f"k={(start + 7) // 2}"]
        now = dict(enumerate(texts.since(0).to_pylist()))
        assert numbers.items() <= now.items()
        numbers = now
    assert len(set(numbers.values())) == len(numbers) == 60_000


def test_too_many_texts_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_MOST_TEXTS", 2)
    texts = Texts()
    cut(["u\ta,b"], 1, texts)
    assert texts_to_go_on_with(texts) is texts
    cut(["u\tc"], 1, texts, texts.count)
    assert texts_to_go_on_with(texts).count == 0


@pytest.mark.filterwarnings("ignore:overflow")  # numbers of numpy say so, compiled ones do not
def test_texts_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "keyed_hash", lambda *_: np.uint64(0))
    monkeypatch.setattr(items, "_cut", items._cut.py_func)
    monkeypatch.setattr(items, "zeros", items.zeros.py_func)
    found, _ = cut(["u\ta,b,a", "u\tb,bb,a"], 1, Texts())
    assert found == [["a", "b", "a"], ["b", "bb", "a"]]
