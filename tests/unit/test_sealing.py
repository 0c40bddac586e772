"""Small blocks while they are wanted, full ones while nobody takes them."""

from agent.sealing import Sealing
from drivers.ticks import ticks_add

DAY_MS = 86400000


class _Block:
    def __init__(self):
        self.count = 0


class _Journal:
    def __init__(self):
        self.first = self.next = 1


class _Uplink:
    state = "online"


class _App:
    """Blocks of 1000 bytes each, sealed into a journal that nobody empties."""

    config = {"block": {"flush_s": 60}, "uplink": {"ahead": 64}}

    def __init__(self, count):
        self.blocks = [_Block() for _ in range(count)]
        self.journal = _Journal()
        self.uplink = _Uplink()
        self.sealed = []

    def seal(self, index):
        self.blocks[index].count = 0
        self.journal.next += 1
        self.sealed.append(index)
        return 1000


def _world(ages_ms, now_ms=200000):
    app = _App(len(ages_ms))
    sealing = Sealing(app, lambda n: 0)
    for index, age_ms in enumerate(ages_ms):
        app.blocks[index].count = 1
        sealing.opened(index, ticks_add(now_ms, -age_ms))
    return app, sealing


def test_on_line_a_block_is_sealed_when_it_is_old_enough():
    app, sealing = _world((59999, 60000, 90000))
    assert sealing.step(200000) == 2 and app.sealed == [2, 1]
    assert sealing.step(200001) == 1 and app.sealed == [2, 1, 0]


def test_off_line_blocks_wait_behind_the_first_record_that_waits():
    app, sealing = _world((70000, 80000))
    app.uplink.state = "offline: no network"
    assert sealing.step(200000) == 1, "a session may open only when something waits"
    assert sealing.step(400000) == 0 and app.blocks[0].count
    app.uplink.state = "online"
    assert sealing.step(400001) == 1 and not app.blocks[0].count


def test_behind_a_collector_that_takes_nothing_blocks_wait():
    app, sealing = _world((70000,))
    app.journal.next = app.journal.first + 65
    assert sealing.step(200000) == 0
    app.journal.first += 1
    assert sealing.step(200000) == 1


def test_no_more_is_held_than_a_save_may_carry():
    app, sealing = _world((70000, 90000, 80000, 10000, 65000))
    app.uplink.state = "offline"
    app.journal.next = 2
    sealing.open_bytes = 4000
    assert sealing.step(200000) == 0
    sealing.open_bytes = 5001
    assert sealing.step(200000) == 2 and app.sealed == [1, 2], "the oldest"


def test_a_block_that_was_held_for_weeks_is_sealed_at_once():
    app, sealing = _world((60000,), 0)
    app.uplink.state = "offline"
    app.journal.next = 2
    now_ms = 0
    for _ in range(20 * 24):
        now_ms = ticks_add(now_ms, 3600000)
        assert sealing.step(now_ms) == 0
    app.uplink.state = "online"
    assert sealing.step(now_ms) == 1
