"""Which IDs are linked: the hash table says of every ID what a set says."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from bsync_assets.assets.matched_traits.linked import NOBODY, linked_ids

IDS = st.lists(st.tuples(st.sampled_from((0, 1001, 20914)), st.text(max_size=40) | st.text("01", max_size=9)), max_size=60)


def records_of(ids: list[tuple[int, str]]) -> pa.Table:
    return pa.table({
        "rec": pa.array(range(len(ids)), pa.int32()),
        "namespace": pa.array([namespace for namespace, _ in ids], pa.int64()),
        "user_id": pa.array([text for _, text in ids], pa.string()),
    })  # fmt: skip


@settings(deadline=None)  # compiled the first time
@given(linked=IDS, others=IDS)
def test_linked_are_those_of_the_files_namespaces(linked: list[tuple[int, str]], others: list[tuple[int, str]]) -> None:
    """IDs with a NUL, of one octet more, of another namespace are others; an ID with two devices is there once."""
    records = records_of(linked + others + [(namespace, text + "\0") for namespace, text in linked])
    with duckdb.connect() as con:
        con.execute("CREATE TABLE data_file AS SELECT unnest([0, 1001]) AS dpid")
        con.register("link", records_of(linked + linked))
        con.execute("CREATE VIEW current_link AS SELECT namespace AS dpid, user_id AS id FROM link")
        found = linked_ids(con).among(records)

    expected = [rec for rec, *who in zip(*records.to_pydict().values(), strict=True) if tuple(who) in linked and who[0] != 20914]
    assert found.to_pylist() == expected


def test_nobody_is_linked_where_there_is_no_link() -> None:
    assert NOBODY.among(records_of([(0, ""), (1001, "card-1")])).to_pylist() == []
