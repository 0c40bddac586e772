"""agent/forecast.py: how long the journal lasts, and its flash; the estimate for files."""

# A simulated flash beside the journal:
# heap: 1m

import os

from agent.forecast import Forecast
from agent.journal import Journal
from agent.record import EVENT
from agent.ring import Ring
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.nor_flash import NorFlash

_HOUR_MS = 3_600_000
_DATA = bytes(512)


def _journal(ground, size=40 * 4096):
    journal = Journal(ground, lambda: 1, size)
    journal.start()
    return journal


def test_the_first_word_comes_after_an_hour_then_one_a_day():
    forecast = Forecast(_journal(MemoryGround()))
    assert not forecast.is_due(500)
    assert not forecast.is_due(500 + _HOUR_MS - 1)
    assert forecast.is_due(500 + _HOUR_MS)
    tree = forecast.take(500 + _HOUR_MS)
    assert tree["autonomy_h"] is None and tree["years"] is None, "nothing is known yet"
    assert tree["bytes_day"] == 0 and tree["fill_permille"] == 0 and not tree["degraded"]
    assert not forecast.is_due(500 + 24 * _HOUR_MS)
    assert forecast.is_due(500 + 25 * _HOUR_MS)


def test_autonomy_is_the_free_room_at_the_rate_of_the_last_day():
    journal = _journal(MemoryGround())
    forecast = Forecast(journal)
    forecast.is_due(0)
    for _ in range(80):  # a quarter of 40 segments within an hour
        journal.append(EVENT, _DATA, 0, 496)
        journal.housekeep(0, True)
    tree = forecast.take(_HOUR_MS)
    assert tree["bytes_day"] == 80 * 512 * 24
    assert 240 <= tree["fill_permille"] <= 250 and tree["autonomy_h"] == 3, tree
    assert forecast.take(2 * _HOUR_MS)["bytes_day"] == 0, "each day has its own rate"


def test_years_follow_from_the_erases_of_the_day_and_the_hottest_block():
    ground = MemoryGround()
    forecast = Forecast(_journal(ground))
    ground.erased = 256_000
    ground.hottest = 2000  # twice the mean
    forecast.is_due(0)
    ground.erased += 256 * 24  # of one day: 24 a block, 48 of the hottest
    tree = forecast.take(24 * _HOUR_MS)
    assert tree["wear_mean"] == 1024 and tree["wear_hottest"] == 2000
    assert tree["years"] == (100_000 - 2000) * 1024 // (24 * 365 * 2000), tree
    ground.erased += 1
    assert forecast.take(48 * _HOUR_MS)["years"] == 999
    ground.erased += 1
    ground.hottest = 100_001
    assert forecast.take(72 * _HOUR_MS)["years"] == 0


def test_the_ring_tells_what_its_heads_say_also_after_a_start():
    flash = NorFlash(bytearray(32 * 4096))
    ring = Ring(flash)
    journal = _journal(ring, 12 * ring.segment_size)
    for i in range(400):
        journal.append(EVENT, _DATA, 0, 496)
        journal.sync()
        if i % 8 == 0:
            journal.trim_through(1, journal.durable)
        journal.housekeep(0, True)
    assert ring.erased == sum(flash.wear) and ring.hottest == max(flash.wear)
    assert ring.blocks == 32 and not ring.is_estimate
    again = Ring(flash)
    _journal(again)
    assert abs(again.hottest - max(flash.wear)) <= 1
    assert abs(again.erased - sum(flash.wear)) <= 8, "blocks erased in advance have no head yet"


def test_an_estimate_of_wear_outlives_a_start_and_is_no_record():
    ground = MemoryGround()
    journal = _journal(ground)
    journal.append(EVENT, _DATA, 0, 10)
    ground.erased = 70_000
    journal.sync()
    journal.trim_through(1, 1)
    journal.renew()
    ground = ground.cut()
    assert ground.erased == 0
    again = _journal(ground)
    assert ground.erased == 70_000
    assert again.next == 2 and again.first == 2 and not again.damaged


def _worn(name, records, saves):
    """Let a journal live on littlefs; return (erases counted by the flash, estimated)."""
    from tests.system.journal_worlds import WORLDS

    world = WORLDS[name](blocks=64, segments=0)
    flash = world.fresh()
    ground = world.mount(flash)
    journal = _journal(ground, 16 * 8192)
    before = sum(flash.wear)
    for i in range(records):
        journal.append(EVENT, _DATA, 0, 300 + i * 37 % 200)
        if saves:
            journal.save_open(i + 1, [(0, _DATA, 0, 256)])
        for _ in range(3):
            journal.housekeep(0, True)
    assert not journal.errors and journal.lost_last
    assert ground.is_estimate and ground.hottest * 3 > max(flash.wear)
    found = sum(flash.wear) - before, ground.erased
    if hasattr(os, "statvfs"):
        assert 60 <= ground.blocks <= 64
    world.unmount(ground)
    return found


def test_the_estimate_for_files_is_near_what_littlefs_erases():
    for name in ("files-esp32", "files-rp2"):
        for saves in (False, True):
            counted, estimated = _worn(name, 400, saves)
            assert counted * 3 // 4 < estimated < counted * 5 // 4, (name, counted, estimated)
