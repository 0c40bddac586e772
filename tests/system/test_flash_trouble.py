"""A flash that dies and comes back, in the whole App: meters are read on, losses are declared."""

# A whole gateway and what it stored:
# heap: 1m

import json

from agent.purge import Purge
from agent.record import BLOCK, LOST
from tests.system.test_personal_meters import _World


def _collected(world):
    """Seal, sync and send everything; return (blocks of the school's meter, numbers lost)."""
    blocks, _ = world.blocks(0)
    lost = 0
    for record in world.broker.stored.values():
        if record[1] == LOST:
            payload = json.loads(record[12:-4].decode())
            lost += payload["last"] - payload["first"] + 1
    return blocks, lost


def test_meters_are_read_while_the_flash_is_dead_and_kept_again_after():
    world = _World()
    app = world.app
    world.read(60)
    app.step(world.now_ms)
    journal = app.journal
    before = _collected(world)[0]
    assert before and not journal.degraded
    world.grounds[0].fail = 1_000_000
    for _ in range(100):
        world.read(60)
        app.step(world.now_ms)
    school = app.meters[0]
    assert journal.degraded and journal.errors
    assert school.at_ms == app.clock.wall_ms_at(world.now_ms)[0], "the meter is still read"
    world.grounds[0].fail = 0
    for _ in range(20):
        world.read(1)
        for bus in app.buses:  # no port here: their turns end, the lines are quiet
            bus.step(world.now_ms, 0)
        app.step(world.now_ms)
    assert not journal.degraded
    after, lost = _collected(world)
    assert after > before and not journal.degraded
    numbers = sorted([int.from_bytes(r[4:8], "big") for r in world.broker.stored.values()])
    assert lost or len(numbers) == numbers[-1] - numbers[0] + 1, "no gap that nothing declares"
    assert any(r[1] == BLOCK for r in world.broker.stored.values())


def test_one_error_of_the_flash_costs_no_reading():
    for late in range(1, 8):
        world = _World()
        world.read(30)
        for _ in range(late):
            world.grounds[0].fail = 1
            world.read(30)
            world.app.save(world.now_ms)
            assert world.grounds[0].fail == 0 and not world.app.journal.degraded
        _, lost = _collected(world)
        assert lost == 0 and world.app.journal.errors == late


def test_a_purge_waits_while_the_flash_is_dead():
    world = _World()
    app = world.app
    purge = Purge(app, [world.grounds[0]])
    world.read(5)
    purge.begin()
    _collected(world)
    world.grounds[0].fail = 1_000_000
    app.save(world.now_ms)
    purge.step(True)
    assert purge.state == "waits for acknowledgements" and app.journal.degraded
