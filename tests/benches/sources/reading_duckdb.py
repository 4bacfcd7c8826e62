"""What a refresh does, in DuckDB: read files, normalise, SHA-256, distinct, sorted Parquet. Called by duckdb.rs.

Takes JSON: files, a folder for what is written, threads, and where a bucket is. Prints a line of JSON.
"""

import json
import pathlib
import resource
import sys
import time

import duckdb


def leave_out(why):
    print(json.dumps({"left_out": why}))
    sys.exit()


asked = json.load(sys.stdin)
files, out, bucket = asked["files"], asked["out"], asked["bucket"]
connection = duckdb.connect()
connection.execute(f"SET threads = {asked['threads']}")
connection.execute(f"SET temp_directory = '{out}'")
if bucket:
    try:
        import duckdb_extension_httpfs as httpfs
    except ImportError:
        leave_out("Python has no duckdb_extension_httpfs")
    folder = pathlib.Path(httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    if not folder.exists():
        leave_out(f"duckdb_extension_httpfs is not for {duckdb.__version__}")
    connection.execute(f"LOAD '{folder / 'httpfs.duckdb_extension'}'")
    connection.execute(f"""
        CREATE SECRET (
            TYPE s3, KEY_ID '{bucket["key"]}', SECRET '{bucket["secret"]}', SESSION_TOKEN '{bucket["token"]}',
            REGION 'us-east-1', ENDPOINT '{bucket["endpoint"]}', URL_STYLE 'path', USE_SSL false
        )
    """)
read = f"read_parquet('{files}')" if files.endswith(".parquet") else f"read_csv('{files}', all_varchar = true)"

begin = time.perf_counter()
rows = 0
for key in ("email", "crm_id"):
    connection.execute(f"""
        COPY (
            SELECT unhex(sha256(lower(trim({key})))) AS identity, list(DISTINCT audience) AS audiences, count(*) AS rows
            FROM {read}
            WHERE {key} IS NOT NULL AND trim({key}) <> ''
            GROUP BY identity
            ORDER BY identity
        ) TO '{out}/{key}.parquet' (FORMAT parquet)
    """)
    rows = connection.execute(f"SELECT sum(rows)::BIGINT FROM '{out}/{key}.parquet'").fetchone()[0]
seconds = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_SELF)
answer = {
    "version": duckdb.__version__,
    "seconds": seconds,
    "processor": used.ru_utime + used.ru_stime,
    "mebibytes": used.ru_maxrss // 1024,
    "rows": rows,
}
print(json.dumps(answer), flush=True)
