"""Overlaps of two CSV files, counted by DuckDB.

usage: exact_counts.py MINE THEIRS
Both files have the columns hashed_email, hashed_phone and audience. Prints JSON: for each key the distinct identities in
common of every pair of audiences ("*" is all), and of all of mine with the first three of theirs together ("union").
"""

import json
import sys

import duckdb

mine, theirs = sys.argv[1:3]
db = duckdb.connect()
for name, path in (("mine", mine), ("theirs", theirs)):
    db.execute(f"create table {name}_rows as select * from read_csv('{path}', header = true, all_varchar = true)")

answer = {}
for key in ("hashed_email", "hashed_phone"):
    for name in ("mine", "theirs"):
        db.execute(
            f"create or replace table {name} as select distinct lower({key}) as id, audience "
            f"from {name}_rows where coalesce({key}, '') <> ''"
        )
    pairs = db.execute(
        "select coalesce(m.audience, '*'), coalesce(t.audience, '*'), count(distinct id) "
        "from mine m join theirs t using (id) group by cube (m.audience, t.audience)"
    ).fetchall()
    union = db.execute(
        "select count(distinct id) from mine join theirs using (id) where theirs.audience in "
        "(select distinct audience from theirs order by audience limit 3)"
    ).fetchone()[0]
    answer[key] = {"pairs": pairs, "union": union}
json.dump(answer, sys.stdout)
