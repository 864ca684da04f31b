"""What a user would write with pandas: chunks of lines, split, explode, merge; one Parquet file.

python pandas_script.py DELIVERY OUT.parquet      prints {"seconds", "peak_rss_mb", "counters"}
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import resource
import time
from collections import Counter
from pathlib import Path

import pandas as pd

CHUNK_LINES = 250_000  # all lines at once would not fit in memory
ITEM = re.compile(r'(?:[^,"]|"[^"]*")+')


def rule_items(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What realizes a trait: (item, trait), and (item, other, trait) where a rule wants two items."""
    rules = pd.read_parquet(path)
    rules["item"] = rules["key_1"] + "=" + rules["value_1"]
    rules["other"] = rules["key_2"] + "=" + rules["value_2"]
    bare = rules.loc[rules["key_1"] == "ic", ["value_1", "trait"]].rename(columns={"value_1": "item"})
    by_id = pd.DataFrame({"item": "d_sid=" + rules["trait"].astype(str), "trait": rules["trait"]})
    single = rules.loc[rules["key_1"].notna() & rules["key_2"].isna(), ["item", "trait"]]
    alone = pd.concat([single, bare, by_id], ignore_index=True)
    return alone, rules.loc[rules["key_2"].notna(), ["item", "other", "trait"]]


def items_of_line(payload: str) -> list[str]:
    """The items of a line; only lines with quotes pay for the regular expression."""
    if '"' in payload:
        return [item.replace('"', "") for item in ITEM.findall(payload)]
    return payload.split(",")


def realize(items: pd.DataFrame, alone: pd.DataFrame, together: pd.DataFrame) -> pd.DataFrame:
    """The distinct (row, user, trait) of the used items of matched records."""
    by_one = items.merge(alone, on="item")
    by_two = items.merge(together, on="item").merge(items[["row", "item"]], left_on=["row", "other"], right_on=["row", "item"])
    return pd.concat([by_one, by_two])[["row", "user", "trait"]].drop_duplicates()


def run(delivery: Path, out: Path) -> dict[str, int]:
    links = pd.read_parquet(delivery / "reference/links.parquet")
    users = pd.Index(links["id"].unique(), dtype=object)
    links["user"] = users.get_indexer(links["id"].astype(object))
    alone, together = rule_items(delivery / "reference/rules.parquet")
    used_items = pd.Index(pd.concat([alone["item"], together["item"], together["other"]]).unique(), dtype=object)
    alone["item"] = used_items.get_indexer(alone["item"])
    together = together.assign(item=used_items.get_indexer(together["item"]), other=used_items.get_indexer(together["other"]))

    counted: Counter[str] = Counter()
    memberships = []
    for path in sorted((delivery / "workspace/inbox").glob("*/*/ftp_dpm_*")):
        chunks = pd.read_csv(
            path,
            sep="\t",
            header=None,
            names=["id", "payload"],
            dtype=str,
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
            na_values={"payload": [""]},
            chunksize=CHUNK_LINES,
        )
        for lines in chunks:
            good = lines[lines["payload"].notna()]
            user = users.get_indexer(good["id"].astype(object))  # -1 where there is none
            items = pd.DataFrame({"row": good.index, "user": user, "item": good["payload"].map(items_of_line)}).explode("item")
            items["item"] = used_items.get_indexer(items["item"])
            used = items[items["item"] >= 0]
            realized = realize(used[used["user"] >= 0], alone, together)
            counted["received"] += len(lines)
            counted["format_errors"] += len(lines) - len(good)
            counted["matched"] += int((user >= 0).sum())
            counted["signals"] += len(items)
            counted["used"] += len(used)
            counted["stored"] += realized["row"].nunique()
            counted["realized"] += len(realized)
            memberships.append(realized[["user", "trait"]])
    distinct = pd.concat(memberships).drop_duplicates()
    distinct.merge(links, on="user")[["uuid", "trait"]].to_parquet(out, index=False)
    return summary(counted)


def summary(counted: Counter[str]) -> dict[str, int]:
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
