"""What a gateway would publish: births and records around real blocks, for tests.

Not the uplink: whole messages in the shapes of agent/README.md, of one meter with two points.

    store.take([birth(), record(BLOCK, 1, readings(3))])
"""

import json

from agent.codec import Block
from agent.record import OVERHEAD, pack_record
from host_tools.collect.messages import Message

JOURNAL = 0x1A2B3C4D
HASH = "0a0b0c0d"
START_MS = 1_700_000_000_000
POINTS = [["energy", "Wh", 1, 1, "0x0048"], ["power", "W", -1, 0, "0x0034"]]
GOOD = bytes(2)
NO_REPLY = bytes((4, 4))


def schema(config=HASH, points=POINTS):
    meter = {"name": "main", "protocol": "modbus", "map": "sdm630", "interval_s": 10}
    return {
        "config": config,
        "gateway": "gw-a",
        "site": "s",
        "meters": [{**meter, "personal": False, "points": points}],
    }


def birth(first=1, following=1, journal=JOURNAL, gateway="gw-a", topic_of="gw-a"):
    tree = {
        "gateway": gateway,
        "site": "s",
        "journal": journal,
        "first": first,
        "next": following,
        "schema": schema(),
    }
    return Message(f"eclor/1/{topic_of}/birth", json.dumps(tree).encode())


def wire(kind, seq, payload, journal=JOURNAL):
    if isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    out = bytearray(len(payload) + OVERHEAD)
    pack_record(out, kind, seq, journal, payload, 0, len(payload))
    return bytes(out)


def record(kind, seq, payload, journal=JOURNAL, gateway="gw-a"):
    return Message(f"eclor/1/{gateway}/rec", wire(kind, seq, payload, journal))


def block(rows, clock=1, config=HASH, meter=0, boot=7, points=2):
    made = Block(points, 2048)
    made.open(bytes.fromhex(config), meter, clock, boot)
    for at_ms, values, quality in rows:
        assert made.add(at_ms, values, quality)
    length = made.seal()
    return bytes(memoryview(made.data)[:length])


def readings(count, start=0):
    return block(
        [(START_MS + 10_000 * (start + i), [1000 + start + i, 50], GOOD) for i in range(count)]
    )
