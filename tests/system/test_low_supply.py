"""A supply that sags: no erase is begun, readings wait in RAM, and nothing goes silently."""

# The broker, the ledger and copies of the flash:
# heap: 8m

import json

from agent.record import BOOT, EVENT
from agent.supply import SLOT, Supply, count_brownouts
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.virtual_gateway import TREE, Site

_MINUTE = 60_000


def _site():
    site = Site(1, TREE)
    site.volts_mv = 3700
    site.app.supply = Supply(lambda: site.volts_mv, 3300)
    return site


def _trees(site, kind):
    return [json.loads(payload) for payload in site.payloads(kind)]


def _mark(site):
    ground = site._grounds[0]
    return dict(ground.files), dict(ground.slots)


def test_no_write_is_begun_below_the_limit_and_nothing_is_lost_when_it_recovers():
    site = _site()
    site.run(10 * _MINUTE)
    before = _mark(site)
    site.run(_MINUTE)
    assert _mark(site) != before, "the flash is written in ordinary times"
    site.volts_mv = 3299
    site.run(10_000)
    before = _mark(site)
    site.run(20 * _MINUTE)
    assert _mark(site) == before
    site.volts_mv = 3400  # above the limit, not by enough
    site.run(5 * _MINUTE)
    assert _mark(site) == before and site.app.supply.times == 1
    health = site.app._report.health(0)
    assert health["supply_mv"] == 3400 and health["supply_low"] == 1
    site.volts_mv = 3470
    site.run(5 * _MINUTE)
    assert _mark(site) != before and not site.app.journal.degraded
    site.settle()
    assert site.judge().wrong == ([], [], [])
    said = [tree["what"] for tree in _trees(site, EVENT) if tree["what"].startswith("supply")]
    assert said == ["supply_low", "supply_ok"]


def test_what_no_longer_fits_in_ram_is_declared():
    site = _site()
    site.volts_mv = 3000
    site.run(3 * 60 * _MINUTE)
    site.volts_mv = 3700
    site.settle()
    verdict = site.judge()
    assert verdict.wrong == ([], [], []) and verdict.declared > 100


def test_a_battery_site_writes_once_a_wake_and_sleeps_on():
    tree = dict(TREE, power={"sleep": True, "uplink_every": 2})
    tree["meters"] = [dict(meter, interval_s=600) for meter in TREE["meters"]]
    site = Site(3, tree)

    def begin():
        site.app.supply = Supply(lambda: 3000, 3300)

    start = site._start
    site._start = lambda *args: (start(*args), begin())
    begin()
    site.run(65 * _MINUTE)
    assert len(site.slept) == 7
    site.settle()
    verdict = site.judge()
    assert verdict.wrong == ([], [], []) and verdict.stored == verdict.answered


def test_it_is_looked_at_now_and_then_and_once_low_wants_five_percent_more():
    looks = []
    supply = Supply(lambda: looks.pop(0), 1000)
    looks += [1000, 999, 1049, 1050, 999]
    said = [supply.step(now_ms) for now_ms in range(0, 25_000, 1000)]
    assert [word for word in said if word] == ["supply_low", "supply_ok", "supply_low"]
    assert supply.times == 2 and looks == [] and supply.mv == 999


def test_brownouts_are_counted_over_starts_and_told_in_the_boot_record():
    ground = MemoryGround()
    assert [count_brownouts(ground) for _ in range(3)] == [1, 2, 3]
    ground.slots[SLOT] = b"\xff\xff\xff\xff"
    assert count_brownouts(ground) == 0xFFFFFFFF
    site = Site(2, TREE)
    site.app.brownouts = 3
    site.app.cause = "brownout"
    tree = site.app._report.boot(0, 0, 0)
    assert (tree["cause"], tree["brownouts"]) == ("brownout", 3)
    site.settle()
    assert "brownouts" not in _trees(site, BOOT)[0]
