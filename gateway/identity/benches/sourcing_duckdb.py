"""What sourcing does, in DuckDB: read a file, normalise, SHA-256, distinct, sorted Parquet. Called by sourcing.rs.

Arguments: the file, a folder for what is written, threads. Prints a line of JSON.
"""

import json
import resource
import sys
import time

import duckdb

path, out, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
connection.execute(f"SET temp_directory = '{out}'")
read = f"read_csv('{path}', all_varchar = true)" if path.endswith(".csv") else f"read_parquet('{path}')"

begin = time.perf_counter()
identities = {}
for key in ("email", "crm_id"):
    connection.execute(f"""
        COPY (
            SELECT unhex(sha256(lower(trim({key})))) AS identity, list(DISTINCT audience) AS audiences
            FROM {read}
            WHERE {key} IS NOT NULL AND trim({key}) <> ''
            GROUP BY identity
            ORDER BY identity
        ) TO '{out}/{key}.parquet' (FORMAT parquet)
    """)
    identities[key] = connection.execute(f"SELECT count(*) FROM '{out}/{key}.parquet'").fetchone()[0]
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
answer = {"version": duckdb.__version__, "seconds": seconds, "peak_mebibytes": peak, "identities": identities}
print(json.dumps(answer), flush=True)
