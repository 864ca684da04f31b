"""What a user would write with DuckDB: the obvious SQL of duckdb_script.sql, one Parquet file.

python duckdb_script.py DELIVERY OUT.parquet      prints {"seconds", "peak_rss_mb", "counters"}
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import duckdb


def run(delivery: Path, out: Path) -> dict[str, int]:
    connection = duckdb.connect()
    files = sorted(str(path) for path in (delivery / "workspace/inbox").glob("*/*/ftp_dpm_*"))
    connection.execute("SET VARIABLE files = $files", {"files": files})
    for name in ("links", "rules"):
        connection.execute(f"SET VARIABLE {name} = $path", {"path": str(delivery / f"reference/{name}.parquet")})
    counted = connection.execute(Path(__file__).with_suffix(".sql").read_text())
    names = [column[0] for column in counted.description or ()]
    values = counted.fetchone() or ()
    connection.table("memberships").write_parquet(str(out))
    return dict(zip(names, values, strict=True))


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
