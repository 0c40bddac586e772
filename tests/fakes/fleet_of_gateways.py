"""A fleet in a database, and its pages: some gateways silent, a gap, an alarm, open groups.

python -m tests.fakes.fleet_of_gateways PORT FOLDER [GATEWAYS] [DAYS] [USERS]
"""

import json
import math
import sys
import time
from functools import partial
from pathlib import Path

import host_tools  # noqa: F401  (the stand-in for `micropython`)
from agent.record import BLOCK, BOOT, EVENT
from host_tools.collect.alarms import watch
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.collect.rules import parse_rules
from host_tools.collect.store import Store
from host_tools.collect.summaries import summarise
from tests.fakes.gateway_messages import block, wire

STEP_MS = 600_000
POINTS = [
    ["power", "W", -1, 0, "0x34"],
    ["energy_import", "Wh", 0, 1, "0x48"],
]
RULES = """
alarms:
  - {name: silent, kind: silent, after_h: 2}
places:
"""


def rules(gateways):
    """Every third gateway has a place."""
    lines = [
        f"  - {{meters: gw-{i:05d}, longitude: {2.3 + 0.1 * math.sin(i):.4f},"
        f" latitude: {48.8 + 0.05 * math.cos(1.7 * i):.4f}}}\n"
        for i in range(0, min(gateways, 300), 3)
    ]
    return parse_rules(RULES + "".join(lines))


def fill(url, gateways=12, days=3, long_days=0):
    """Fill a database; the first gateway gets long_days, the others days of readings."""
    engine = open_database(url)
    now_ms = time.time_ns() // 1_000_000
    for i in range(gateways):
        seen_ms = now_ms - (5 * 3_600_000 if i % 7 == 3 else i * 900)
        store = Store(engine, partial(int, seen_ms))
        store.take(list(messages(i, now_ms, max(days, long_days if i == 0 else 0))))
    summarise(engine)
    watch(engine, rules(gateways).alarms, now_ms)
    return engine


def messages(i, now_ms, days):
    """Yield what one gateway published."""
    name = f"gw-{i:05d}"
    site = ("maison-des-tilleuls", "école <nord>", "station-pompage")[i % 3]
    journal = 1000 + i
    meter = {"name": "main", "protocol": "modbus", "map": "sdm630", "interval_s": 600}
    schema = {
        "config": "0a0b0c0d",
        "gateway": name,
        "site": site,
        "meters": [{**meter, "personal": True, "points": POINTS}],
    }
    count = days * 144
    tree = {"gateway": name, "site": site, "journal": journal, "first": 1, "next": 1}
    tree = {**tree, "schema": schema, "version": f"0.{1 + i % 2}.0", "board": "esp32_poe"}
    yield Message(f"eclor/1/{name}/birth", json.dumps(tree).encode())
    rows = []
    energy = 1000 * i
    for index in range(count):
        at_ms = now_ms - (count - index) * STEP_MS
        power = 4000 + round(3000 * math.sin(index / 23 + i))
        energy += power // 60
        if count - 70 <= index < count - 50:
            continue  # nothing came for a while: the curve must break here
        missing = index % 97 == 3
        values = [None, None] if missing else [power, energy]
        rows.append((at_ms, values, bytes((4, 4)) if missing else bytes(2)))
    seq = 0
    for start in range(0, len(rows), 100):
        seq += 1
        data = wire(BLOCK, seq, block(rows[start : start + 100]), journal)
        yield Message(f"eclor/1/{name}/rec", data)
    boot = {"boot": 7, "cause": "power", "version": "0.1.0", "from_ms": 0, "to_ms": now_ms - 9_000}
    yield Message(f"eclor/1/{name}/rec", wire(BOOT, seq + 1, boot, journal))
    event = {"at_ms": now_ms - 60_000, "what": "door_open", "meter": "main", "why": "<contact>"}
    yield Message(f"eclor/1/{name}/rec", wire(EVENT, seq + 2, event, journal))
    state = {
        "records": [seq + 3, seq + 3 + 17 * i, seq],
        "journal": 12 * i % 1000,
        "clock": (1, 2, 0)[i % 3],
        "meters": [{"name": "main", "no_reply": i, "bad_frames": 1}],
    }
    yield Message(f"eclor/1/{name}/state", json.dumps(state).encode())


def main(port, folder, gateways="12", days="3", users=""):
    """Fill and serve until ended."""
    from host_tools.collect.pages import serve
    from host_tools.collect.pages.access import Users

    engine = fill(f"sqlite:///{folder}/readings.db", int(gateways), int(days))
    known = Users(Path(users)) if users else None
    serve(engine, rules(int(gateways)), ("127.0.0.1", int(port)), known, least=3)


if __name__ == "__main__":
    main(*sys.argv[1:])
