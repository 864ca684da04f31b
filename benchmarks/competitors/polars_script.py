"""What a user would write with Polars: a streaming query per file, one Parquet file; it validates nothing.

python polars_script.py DELIVERY OUT.parquet      prints {"seconds", "peak_rss_mb", "counters"}
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import polars as pl


def rule_items(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What realizes a trait: (item, trait), and (item, other, trait) where a rule wants two items."""
    rules = pl.read_parquet(path)
    single, double = rules.filter(pl.col("key_2").is_null()), rules.filter(pl.col("key_2").is_not_null())
    first, second = pl.format("{}={}", "key_1", "value_1"), pl.format("{}={}", "key_2", "value_2")
    alone = pl.concat(
        [
            single.select(first.alias("item"), "trait"),
            single.filter(pl.col("key_1") == "ic").select(pl.col("value_1").alias("item"), "trait"),
            rules.select(pl.format("d_sid={}", "trait").alias("item"), "trait"),
        ]
    )
    return alone.drop_nulls(), double.select(first.alias("item"), second.alias("other"), "trait")


def items_of_line() -> pl.Expr:
    """The list of items of a line; only lines with quotes pay for the regular expression."""
    payload, quoted = pl.col("payload"), pl.col("payload").str.contains('"', literal=True)
    careful = (
        pl.when(quoted).then(payload).str.extract_all(r'(?:[^,"]|"[^"]*")+').list.eval(pl.element().str.replace_all('"', ""))
    )
    return pl.coalesce(careful, pl.when(~quoted).then(payload).str.split(","))


def realize(hits: pl.LazyFrame, alone: pl.LazyFrame, together: pl.LazyFrame) -> pl.DataFrame:
    """The distinct (row, user, trait) of the hits of matched records."""
    matched = hits.filter(pl.col("user").is_not_null())
    by_one = matched.join(alone, on="item_id").select("row", "user", "trait")
    by_two = (
        matched.join(together, on="item_id")
        .join(matched.select("row", "item_id"), left_on=["row", "other_id"], right_on=["row", "item_id"])
        .select("row", "user", "trait")
    )
    return pl.concat([by_one, by_two]).unique().collect(engine="streaming")


def run(delivery: Path, out: Path) -> dict[str, int]:
    users = pl.read_parquet(delivery / "reference/links.parquet").group_by("id").agg("uuid").with_row_index("user")
    alone, together = rule_items(delivery / "reference/rules.parquet")
    items = pl.concat([alone["item"], together["item"], together["other"]]).unique().to_frame().with_row_index("item_id")
    others = items.rename({"item": "other", "item_id": "other_id"})
    alone = alone.join(items, on="item").select("item_id", "trait")
    together = together.join(items, on="item").join(others, on="other").select("item_id", "other_id", "trait")

    counters = dict.fromkeys(("received", "format_errors", "matched", "signals", "used", "stored", "realized"), 0)
    memberships = []
    for path in sorted((delivery / "workspace/inbox").glob("*/*/ftp_dpm_*")):
        lines = pl.scan_csv(
            path,
            separator="\t",
            has_header=False,
            quote_char=None,
            schema={"id": pl.String, "payload": pl.String},
            truncate_ragged_lines=True,
            row_index_name="row",
        )
        good = (
            lines.filter(pl.col("payload").is_not_null())
            .join(users.lazy().select("id", "user"), on="id", how="left")
            .select("row", "user", items_of_line().alias("item"))
        )
        totals = lines.select(pl.len().alias("received"), pl.col("payload").null_count().alias("format_errors"))
        signals = good.select(pl.col("item").list.len().sum().alias("signals"), pl.col("user").count().alias("matched"))
        hits = good.explode("item").join(items.lazy(), on="item").select("row", "user", "item_id")
        frames = pl.collect_all([totals, signals, hits], engine="streaming")
        for name, value in (frames[0].row(0, named=True) | frames[1].row(0, named=True)).items():
            counters[name] += value
        realized = realize(frames[2].lazy(), alone.lazy(), together.lazy())
        counters["used"] += frames[2].height
        counters["stored"] += realized["row"].n_unique()
        counters["realized"] += realized.height
        memberships.append(realized.select("user", "trait"))
    (
        pl.concat(memberships)
        .lazy()
        .unique()
        .join(users.lazy().select("user", "uuid"), on="user")
        .explode("uuid")
        .select("uuid", "trait")
        .sink_parquet(out)
    )
    return summary(counters)


def summary(counted: dict[str, int]) -> dict[str, int]:
    """The receipt's counters from those that were counted."""
    processed = counted["received"]
    return {
        "received": counted["received"],
        "processed": processed,
        "format_errors": counted["format_errors"],
        "no_match": processed - counted["format_errors"] - counted["matched"],
        "no_trait": counted["matched"] - counted["stored"],
        "stored": counted["stored"],
        "signals": counted["signals"],
        "unused": counted["signals"] - counted["used"],
        "realized": counted["realized"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("delivery", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    start = time.perf_counter()
    counters = run(arguments.delivery, arguments.out)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_rss_mb": peak, "counters": counters}))


if __name__ == "__main__":
    main()
