"""A long backlog drains oldest first and gap-free; the newest values still reach a screen."""

# Two gateways' worth of journal in memory:
# heap: 1m

import json

from agent.journal import Journal
from agent.record import EVENT, LOST, check_record
from agent.uplink import Uplink
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
        world.app._random = lambda n, early=early: min(early, n - 1)
        world.app._open(0, 1, 0)
        seals.append(world.app._flush_at[0])
    assert seals == [60000, 59000, 53000]


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
