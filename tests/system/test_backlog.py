"""A long backlog drains oldest first and gap-free; the newest values still reach a screen."""

# Two gateways' worth of journal in memory:
# heap: 1m

import json

from agent.codec import decode
from agent.journal import Journal
from agent.record import BLOCK, EVENT, LOST, check_record
from agent.uplink import Uplink
from drivers.reading import GOOD, Reading
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround
from tests.system.test_hostile_broker import _World


def test_fresh_values_ride_on_the_state_while_a_backlog_drains():
    world = _World(key=b"")
    app = world.app
    world.broker.acks = False
    for _ in range(200):
        app.journal.append(EVENT, b"{}", 0, 2)
        app.journal.sync()
    world.broker.states.clear()
    app.meters[0].values = [7]
    world.live(11000)
    assert world.broker.states[-1]["meters"][0]["values"] == [7]
    assert len(world.broker.arrived) < 100  # most of it still waits
    world.broker.acks = True
    world.broker.send_ack(world.broker.contiguous())
    world.live(11000)
    assert app.journal.acked == app.journal.next - 1
    assert world.broker.arrived == list(range(1, app.journal.next))  # no gap, no repeat
    world.live(10000)
    assert world.broker.states[-1]["meters"][0]["values"] is None


def test_what_personal_meters_read_never_rides_on_the_state():
    world = _World()
    for _ in range(200):
        world.app.journal.append(EVENT, b"{}", 0, 2)
        world.app.journal.sync()
    world.app.meters[0].config["personal"] = True
    world.app.meters[0].values = [7]
    world.live(11000)
    assert world.broker.states[-1]["meters"][0]["values"] is None


def test_blocks_of_a_fleet_are_not_sealed_together():
    seals = []
    for early in (0, 1000, 7000):
        world = _World()
        world.app.sealing._random = lambda n, early=early: min(early, n - 1)
        world.app.open_block(0, 1, 0)
        seals.append(world.app.sealing._at[0])
    assert seals == [60000, 59000, 53000]


def test_off_line_readings_gather_in_few_blocks_and_all_leave_at_once_afterwards():
    world = _World(key=b"")
    app = world.app
    world.broker.acks = True
    meter = app.meters[0]
    before = app.journal.next

    def read(minutes, online):
        for _ in range(minutes):
            reading = Reading(meter.driver.points)
            reading.clear(GOOD)
            for i in range(len(reading.values)):
                reading.set(i, 1000 + world.now_ms // 60000)
            reading.at_ms = world.now_ms
            app.on_reading(meter, reading)
            if online:
                world.live(60000)
                continue
            for _ in range(60):
                world.now_ms += 1000
                app.step(world.now_ms)

    def rows():
        blocks = [r for r in world.broker.stored.values() if r[1] == BLOCK]
        return [row[0] for record in blocks for row in decode(record[12:-4]).rows]

    read(5, True)
    assert len(rows()) == 5, "on line every minute leaves in a block of its own"
    app.uplink.closed(world.now_ms, "the network is gone")
    records = app.journal.next
    read(600, False)
    assert app.journal.next - records < 15
    grounds = tuple([ground.cut() for ground in world.grounds])
    saved = Journal(grounds[0], lambda: 1, 65536).start()
    kept = sum([len(decode(data).rows) for _, data in saved.opens])
    assert kept == app.blocks[0].count, "a power cut would have cost nothing"
    world.live(120000)
    assert len(rows()) == 605 and len(set(rows())) == 605
    assert app.journal.acked == app.journal.next - 1 > before


def test_a_flash_that_filled_in_a_long_outage_declares_every_number_that_went():
    journal = Journal(MemoryGround(), lambda: 1, 4 * 4096)
    journal.start()
    identity = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}
    uplink = Uplink({}, journal, identity, lambda n: 0)
    broker = Broker(b"gw")
    broker.acks = False
    pump(uplink, broker, 0)
    uplink.closed(1, "the network is gone for weeks")
    for number in range(300):
        data = b"%d" % number + bytes(150)
        journal.append(EVENT, data, 0, len(data))
        journal.sync()
    now = 1000
    while journal.acked < journal.next - 1 and now < 600000:
        now += 1000
        pump(uplink, broker, now)
        if broker.arrived:
            broker.send_ack(max(broker.arrived))
    found = set()
    declared = set()
    for seq, data in broker.stored.items():
        kind, _, _, start, end = check_record(data, 0, len(data))
        if kind == LOST:
            tree = json.loads(data[start:end])
            assert tree["why"] == "full" and tree["last"] == seq
            declared.update(range(tree["first"], tree["last"] + 1))
        else:
            found.add(seq)
    assert len(declared) > 100 and len(found) > 50
    assert found | declared == set(range(1, journal.next)) and not found & declared
    assert max(found) == journal.next - 1  # the newest are kept: a newer counter is worth more
