"""All pairs of audiences in DuckDB: warm native tables, 64-bit keys. Called by all_pairs.rs.

For each line of its input it runs the query once and prints a line of JSON.
"""

import json
import resource
import sys
import time

import duckdb

directory, threads = sys.argv[1], int(sys.argv[2])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
for name in ("mine", "theirs"):
    connection.execute(f"CREATE TABLE {name} AS SELECT key, audience FROM read_parquet('{directory}/{name}.parquet')")

QUERY = """
SELECT mine.audience, theirs.audience, count(*)
FROM mine JOIN theirs ON mine.key = theirs.key
GROUP BY mine.audience, theirs.audience
"""

for _ in sys.stdin:
    begin = time.perf_counter()
    pairs = connection.execute(QUERY).fetchall()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answer = {"version": duckdb.__version__, "seconds": seconds, "pairs": pairs, "peak_mebibytes": peak}
    print(json.dumps(answer), flush=True)
