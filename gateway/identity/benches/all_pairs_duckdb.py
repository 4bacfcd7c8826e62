"""All pairs of audiences in DuckDB: warm native tables, 64-bit keys. Called by all_pairs.rs; prints JSON."""

import json
import resource
import statistics
import sys
import time

import duckdb

directory, threads, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
for name in ("mine", "theirs"):
    connection.execute(f"CREATE TABLE {name} AS SELECT key, audience FROM read_parquet('{directory}/{name}.parquet')")

QUERY = """
SELECT mine.audience, theirs.audience, count(*)
FROM mine JOIN theirs ON mine.key = theirs.key
GROUP BY mine.audience, theirs.audience
"""

pairs = connection.execute(QUERY).fetchall()
seconds = []
for _ in range(repeats):
    begin = time.perf_counter()
    connection.execute(QUERY).fetchall()
    seconds.append(time.perf_counter() - begin)
print(
    json.dumps(
        {
            "version": duckdb.__version__,
            "seconds": statistics.median(seconds),
            "pairs": pairs,
            "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    )
)
