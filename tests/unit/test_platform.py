"""SenML to a platform of others: what it says, what a PUBACK frees, what is passed over."""

import json

from agent.clock import FREE_RUNNING, TRUSTED, UPTIME_ONLY, Clock
from agent.codec import Block
from agent.journal import Journal
from agent.platform import Platform
from agent.record import BLOCK, BOOT, EVENT
from agent.senml import name_of
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}
WALL = 1_800_000_000_000
SCHEMA = {
    "gateway": "gw",
    "config": "0a0b0c0d",
    "meters": [
        {
            "name": "main meter",
            "points": [
                ["energy", "Wh", 1, 1, "0x48"],
                ["temperature", "degC", -1, 0, "x"],
                ["tariff", "", 0, 2, "y"],
            ],
        }
    ],
}


class _Platform(Broker):
    def __init__(self):
        super().__init__(b"gw")
        self.packs = []
        self.held = []

    def _publish(self, first, body):
        end = 2 + int.from_bytes(body[:2], "big")
        if body[2:end] == b"eclor/1/gw/senml":
            self.packs.append(json.loads(body[end + 2 :]))
            self.held.append(body[end : end + 2])
        super()._publish(first, body)


class _World:
    def __init__(self):
        self.clock = Clock(7)
        self.journal = Journal(MemoryGround(), lambda: 1, 65536)
        self.journal.start()
        self.platform = Platform({"window": 4}, self.journal, IDENTITY, lambda n: 0)
        self.platform.schema = SCHEMA
        self.platform.clock = self.clock
        self.broker = _Platform()

    def block(self, rows, clock=TRUSTED, boot=7, config="0a0b0c0d"):
        made = Block(3, 2048)
        made.open(bytes.fromhex(config), 0, clock, boot)
        for at_ms, values in rows:
            quality = bytes([0 if v is not None else 4 for v in values])
            assert made.add(at_ms, values, quality)
        self.append(BLOCK, bytes(memoryview(made.data)[: made.seal()]))

    def append(self, kind, data):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        self.journal.append(kind, data, 0, len(data))
        self.journal.sync()

    def go(self, now_ms=0):
        pump(self.platform, self.broker, now_ms)


def test_a_block_says_in_senml_exactly_what_was_read():
    world = _World()
    world.block([(WALL, [123, 215, 2]), (WALL + 1500, [124, None, 2])])
    world.go()
    first = {"bn": "gw/main_meter/", "bt": WALL // 1000, "n": "energy", "u": "Wh", "v": 1230}
    assert world.broker.packs == [
        [
            first,
            {"n": "temperature", "u": "Cel", "v": 21.5},
            {"n": "tariff", "v": 2},
            {"t": 1.5, "n": "energy", "u": "Wh", "v": 1240},
            {"t": 1.5, "n": "tariff", "v": 2},
        ]
    ]
    assert world.journal.acked == world.journal.next - 1
    assert b"birth" not in world.broker.topics


def test_a_record_of_many_packs_is_free_only_with_all_their_pubacks():
    world = _World()
    world.block([(WALL + i * 1000, [i, i, i]) for i in range(100)])
    world.broker.pubacks = False
    world.go()
    begun = world.journal.acked
    assert len(world.broker.packs) == 4  # the window
    for i in (1, 0, 2, 3):
        ack = b"\x40\x02" + world.broker.held[i]
        world.platform.received(ack, 0, 4, 1)
        assert world.journal.acked == begun
    world.broker.pubacks = True
    world.go(1)
    assert world.journal.acked == world.journal.next - 1
    rows = [entry["v"] for pack in world.broker.packs for entry in pack if entry["n"] == "energy"]
    assert rows == [10 * i for i in range(100)]


def test_many_records_leave_in_order_and_a_new_session_repeats_what_was_not_acknowledged():
    world = _World()
    for i in range(20):
        world.block([(WALL + i, [i, 1, 1])])
    world.broker.pubacks = False
    world.go()
    world.platform.closed(1, "reset")
    world.broker.pubacks = True
    world.broker.packs.clear()
    world.go(2000)
    assert [pack[0]["v"] for pack in world.broker.packs] == [10 * i for i in range(20)]
    assert world.journal.acked == world.journal.next - 1 and world.platform.in_flight == 0


def test_an_event_is_a_text_and_what_has_no_senml_is_passed():
    world = _World()
    world.append(BOOT, {"boot": 7})
    event = {"at_ms": WALL + 1, "boot": 7, "what": "door", "meter": "", "why": "open"}
    world.append(EVENT, event)
    world.append(EVENT, {"at_ms": 0, "boot": 7, "what": "door", "meter": "", "why": ""})
    world.go()
    found = world.broker.packs
    assert len(found) == 1 and found[0][0]["vs"] == "door: open"
    assert found[0][0]["bn"] == "gw/" and found[0][0]["n"] == "event"
    assert world.platform.counters["untimed"] == 1
    assert world.journal.acked == world.journal.next - 1


def test_readings_before_the_first_synchronisation_wait_and_get_their_time():
    world = _World()
    world.clock.tick(0)
    world.block([(500, [1, 1, 1])], UPTIME_ONLY)
    world.block([(WALL + 9000, [2, 1, 1])], FREE_RUNNING)
    world.go()
    assert world.broker.packs == [] and world.journal.acked < world.journal.next - 1
    world.clock.set_wall(WALL, 2000, "sntp")
    world.go(2000)
    assert [pack[0]["bt"] for pack in world.broker.packs] == [WALL / 1000 - 1.5, WALL / 1000 + 9]


def test_what_cannot_be_named_or_dated_is_counted_and_does_not_stop_the_rest():
    world = _World()
    world.clock.set_wall(WALL, 0, "sntp")
    world.block([(500, [1, 1, 1])], UPTIME_ONLY, boot=6)
    world.block([(WALL, [1, 1, 1])], config="00000000")
    world.block([(WALL, [3, 1, 1])])
    world.go()
    assert [pack[0]["v"] for pack in world.broker.packs] == [30]
    assert world.platform.counters["untimed"] == 1
    assert world.platform.counters["passed_over"] == 1


def test_names_keep_to_what_senml_allows():
    assert name_of("Eté n°1/a") == "Et__n_1_a"
