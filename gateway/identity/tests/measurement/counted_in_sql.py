"""Every figure of a report, counted by DuckDB in SQL. Used by the tests of measurement and by benches/measure.rs.

Argument: a file of JSON with the definition of the report as it is stored and the CSV files of exposures and of
conversions; also threads, a folder for what does not fit in memory, and the expression that identities are compared by.
Prints the counts as JSON, and how long it took.
"""

import datetime
import json
import resource
import sys
import time

import duckdb

KINDS = ["view", "engaged_view", "click"]
MOST_TOUCHES = 200
DAY = 86_400_000_000

with open(sys.argv[1]) as file:
    asked = json.load(file)
definition = asked["definition"]
credit = definition["credit"]
dimensions = definition["dimensions"]


def micros(day):
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc).timestamp()) * 1_000_000


first = micros(definition["period"]["first"])
days = (micros(definition["period"]["last"]) - first) // DAY + 1
last = first + days * DAY
conversion_days = days + definition["lookback_days"]

connection = duckdb.connect()
connection.execute(f"SET threads = {asked.get('threads', 2)}")
connection.execute("SET TimeZone = 'UTC'")
if "scratch" in asked:
    connection.execute(f"SET temp_directory = '{asked['scratch']}'")
identity = asked.get("identity", "lower(trim(email))")


def text(value):
    return "'" + value.replace("'", "''") + "'"


def rows(sql):
    return connection.execute(sql).fetchall()


def read(files):
    names = ", ".join(text(file) for file in files)
    return f"read_csv([{names}], header = true, all_varchar = true)"


def cell(column, values):
    """The number of a value among the sorted ones; the rest comes after them."""
    cases = " ".join(f"WHEN {text(value)} THEN {number}" for number, value in enumerate(sorted(values)))
    return f"CASE {column} {cases} ELSE {len(values)} END" if values else "0"


def instant(column):
    return f"epoch_us(CAST({column} AS TIMESTAMPTZ))"


def amount(column):
    return f"coalesce(CAST(round(CAST({column} AS DECIMAL(38, 6)) * 1000000) AS BIGINT), 0)"


def condition(of):
    column = "type" if of["field"] == "TYPE" else f'"{of["field"]["ATTRIBUTE"]}"'
    if of["test"] == "EXISTS":
        return f"{column} IS NOT NULL"
    (test, value), = of["test"].items()
    number = f"TRY_CAST({column} AS DECIMAL(38, 6)) * 1000000"
    return {
        "EQUALS": lambda: f"{column} = {text(value)}",
        "NOT_EQUALS": lambda: f"{column} IS DISTINCT FROM {text(value)}",
        "CONTAINS": lambda: f"contains({column}, {text(value)})",
        "GREATER": lambda: f"{number} > {value}",
        "LESS": lambda: f"{number} < {value}",
    }[test]()


def taken(event):
    conditions = [f"coalesce({condition(of)}, false)" for of in event["conditions"]]
    joined = (" AND " if event["combine"] == "ALL" else " OR ").join(conditions)
    unrepeated = "NOT repeated" if event["deduplicate"] else "true"
    return f"type = {text(event['type'])} AND {unrepeated}" + (f" AND ({joined})" if conditions else "")


def lookback():
    own = {of["kind"]: of["days"] for of in credit["lookbacks"]}
    cases = " ".join(
        f"WHEN {number} THEN {own.get(kind.upper(), definition['lookback_days']) * DAY}"
        for number, kind in enumerate(KINDS)
    )
    return f"CASE kind {cases} END"


def rank():
    priority = [kind.lower() for kind in credit["priority"]]
    ranks = [priority.index(kind) if kind in priority else len(priority) for kind in KINDS]
    cases = " ".join(f"WHEN {number} THEN {of}" for number, of in enumerate(ranks))
    return f"CASE kind {cases} END"


def weight(model):
    """The weight of the touch at `place` of `n`, counted from 1."""
    if model == "LAST_TOUCH":
        return "CASE WHEN place = n THEN 1 ELSE 0 END"
    if model == "FIRST_TOUCH":
        return "CASE WHEN place = 1 THEN 1 ELSE 0 END"
    if model == "LINEAR":
        return "1"
    if "TIME_DECAY" in model:
        half_life = model["TIME_DECAY"]["half_life_hours"] * 3_600_000_000
        return f"CAST(round(pow(2, -(latest - time) / {half_life}) * 4294967296) AS BIGINT)"
    of = model["POSITION_BASED"]
    one, other = of["first_percent"], of["last_percent"]
    if one + other == 0:
        return "CASE WHEN n <= 2 OR (place > 1 AND place < n) THEN 1 ELSE 0 END"
    return f"""CASE WHEN n = 1 THEN 1
        WHEN place = 1 THEN {one} * greatest(n - 2, 1)
        WHEN place = n THEN {other} * greatest(n - 2, 1)
        ELSE {100 - one - other} END"""


def shared(total, of, name, source):
    """Shares out `total` in proportion to `of` in whole parts, by largest remainder, then by place."""
    return f"""
        SELECT * EXCLUDE (whole_total, part, remainder), part + CASE WHEN row_number() OVER (
            PARTITION BY conversion ORDER BY remainder DESC, place
        ) <= any_value(whole_total) OVER (PARTITION BY conversion) - sum(part) OVER (PARTITION BY conversion)
            THEN 1 ELSE 0 END AS {name}
        FROM (
            SELECT *, CAST({total} AS HUGEINT) AS whole_total,
                CAST({total} AS HUGEINT) * {of} // sum({of}) OVER (PARTITION BY conversion) AS part,
                CAST({total} AS HUGEINT) * {of} % sum({of}) OVER (PARTITION BY conversion) AS remainder
            FROM {source}
        )"""


def load():
    campaigns = dimensions["campaigns"]
    connection.execute(f"""
        CREATE TABLE exposures AS SELECT * FROM (
            SELECT {identity} AS key, {instant("time")} AS time,
                {cell("campaign", campaigns)} AS campaign,
                {cell("placement", dimensions["placements"])} AS placement,
                {cell("creative", dimensions["creatives"])} AS creative,
                CASE coalesce(kind, 'view') WHEN 'view' THEN 0 WHEN 'engaged_view' THEN 1 ELSE 2 END AS kind,
                coalesce(CAST(viewable AS BOOLEAN), false) AS viewable, {amount("cost")} AS cost
            FROM {read(asked["exposures"])}
        ) WHERE campaign < {len(campaigns)} AND time >= {first} AND time < {last}""")
    if not asked["conversions"]:
        return
    connection.execute(f"""
        CREATE TABLE conversions AS SELECT *,
            "order" IS NOT NULL AND row_number() OVER (
                PARTITION BY type, "order" ORDER BY time, CAST("row" AS BIGINT)
            ) > 1 AS repeated
        FROM (
            SELECT * EXCLUDE (email, time, value), {identity} AS key, {instant("time")} AS time,
                {amount("value")} AS value
            FROM {read(asked["conversions"])}
        )""")


def summary():
    metrics = "count(*), count(*) FILTER (viewable), count(DISTINCT key), CAST(coalesce(sum(cost), 0) AS BIGINT)"
    by = {
        "DAY": f"(time - {first}) // {DAY}",
        "CAMPAIGN": "campaign",
        "PLACEMENT": "placement",
        "CREATIVE": "creative",
        "KIND": "kind",
    }
    return {
        "total": rows(f"SELECT {metrics} FROM exposures")[0],
        "by": {
            name: {row[0]: row[1:] for row in rows(f"SELECT {of} AS cell, {metrics} FROM exposures GROUP BY cell")}
            for name, of in by.items()
        },
        "frequency": dict(rows("""
            SELECT least(often, 10), count(*) FROM (SELECT count(*) AS often FROM exposures GROUP BY key) GROUP BY ALL""")),
        "newly_reached": dict(rows(f"""
            SELECT (seen - {first}) // {DAY}, count(*) FROM (SELECT min(time) AS seen FROM exposures GROUP BY key)
            GROUP BY ALL""")),
    }


def attribution(event):
    connection.execute(f"""
        CREATE OR REPLACE TABLE converted AS
        SELECT row_number() OVER () AS conversion, key, time AS converted_at, (time - {first}) // {DAY} AS day, value
        FROM conversions WHERE {taken(event)} AND time >= {first} AND time < {first + conversion_days * DAY}""")
    order = "time, kind, campaign, placement, creative"
    connection.execute(f"""
        CREATE OR REPLACE TABLE touches AS
        SELECT *, row_number() OVER (PARTITION BY conversion ORDER BY {order}) AS place
        FROM (
            SELECT conversion, key, day, value, time, kind, campaign, placement, creative
            FROM converted JOIN exposures USING (key)
            WHERE time <= converted_at AND converted_at - time <= {lookback()}
            QUALIFY row_number() OVER (
                PARTITION BY conversion, kind ORDER BY time DESC, campaign DESC, placement DESC, creative DESC
            ) <= {MOST_TOUCHES}
        )""")
    connection.execute(f"""
        CREATE OR REPLACE TABLE best AS
        SELECT *, count(*) OVER (PARTITION BY conversion) AS n, max(time) OVER (PARTITION BY conversion) AS latest
        FROM (
            SELECT * REPLACE (row_number() OVER (PARTITION BY conversion ORDER BY {order}) AS place)
            FROM (SELECT * FROM touches QUALIFY {rank()} = min({rank()}) OVER (PARTITION BY conversion))
        )""")
    figures = "count(*), CAST(coalesce(sum(value), 0) AS BIGINT), count(DISTINCT key)"
    connection.execute("""
        CREATE OR REPLACE TABLE credited AS SELECT DISTINCT conversion, key, day, value FROM touches""")
    return {
        "all": rows(f"SELECT {figures} FROM converted")[0],
        "credited": rows(f"SELECT {figures} FROM credited")[0],
        "days": {row[0]: row[1:] for row in rows(f"SELECT day, {figures} FROM credited GROUP BY day")},
        "new_people": dict(rows("""
            SELECT day, count(*) FROM (SELECT min(day) AS day FROM credited GROUP BY key) GROUP BY day""")),
        "models": [of_model(model) for model in credit["models"]],
        "paths": {steps: of_paths(steps) for steps in credit["paths"]},
    }


def of_model(model):
    weighed = f"(SELECT *, {weight(model)} AS weight FROM best)"
    # Credit that nobody has weighs nothing, and comes to nobody.
    credits = shared("1000000", "weight", "credit", weighed)
    parts = shared("abs(value)", "credit", "revenue", f"({credits})")
    connection.execute(f"CREATE OR REPLACE TABLE parts AS SELECT * FROM ({parts}) WHERE credit > 0")
    figures = """CAST(sum(credit) AS BIGINT), CAST(sum(revenue * sign(value)) AS BIGINT), count(DISTINCT key)"""
    return {
        by: {row[0]: row[1:] for row in rows(f"SELECT {by}, {figures} FROM parts GROUP BY {by}")}
        for by in ("campaign", "placement", "creative")
    }


def of_paths(steps):
    """Conversions and people by the path, its steps as numbers with a blank between."""
    step = "kind" if steps == "KINDS" else "campaign"
    return {
        row[0]: row[1:]
        for row in rows(f"""
            SELECT path, count(*), count(DISTINCT key) FROM (
                SELECT any_value(key) AS key, string_agg({step}, ' ' ORDER BY place) AS path
                FROM (SELECT * FROM touches
                    QUALIFY row_number() OVER (PARTITION BY conversion ORDER BY place DESC) <= 5)
                GROUP BY conversion
            ) GROUP BY path""")
    }


begin, processors = time.perf_counter(), time.process_time()
load()
loaded, loaded_processors = time.perf_counter(), time.process_time()
counts = {"summary": summary(), "events": [attribution(event) for event in definition["events"]]}
end, end_processors = time.perf_counter(), time.process_time()
counts["version"] = duckdb.__version__
counts["seconds"] = {
    "load": loaded - begin,
    "load_processors": loaded_processors - processors,
    "count": end - loaded,
    "count_processors": end_processors - loaded_processors,
}
counts["peak_mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps(counts), flush=True)
