"""A battery site: a week of sleeps with cuts loses nothing; planned sleeps are no starts.

`ECLOR_SEEDS=20` lives so many weeks instead of one.
"""

# The broker, the ledger and copies of the flash:
# heap: 8m

import json
import os

from agent.codec import decode
from agent.record import BOOT, SCHEMA
from tests.fakes.virtual_gateway import TREE, Site

HOUR = 3600 * 1000
QUARTER = 15 * 60 * 1000


def _tree(interval_s, uplink_every):
    tree = dict(TREE)
    tree["meters"] = [dict(meter, interval_s=interval_s) for meter in TREE["meters"]]
    tree["power"] = {"sleep": True, "uplink_every": uplink_every}
    return tree


def _seeds():
    getenv = getattr(os, "getenv", None)
    return range(3, 3 + int((getenv and getenv("ECLOR_SEEDS")) or 1))


class BatterySite(Site):
    boot_ms = 3000


def _trees(site, kind):
    return [json.loads(payload) for payload in site.payloads(kind)]


def _assert_whole(site):
    verdict = site.judge()
    assert (verdict.wrong, site.broker.changed) == (([], [], []), []), (
        verdict.wrong,
        site.broker.changed,
        site.timeline,
    )
    return verdict


def test_a_quiet_half_day_costs_little_and_declares_nothing():
    site = BatterySite(1, _tree(900, 8))
    site.run(12 * HOUR)
    slept = list(site.slept)
    site.settle()
    verdict = _assert_whole(site)
    assert verdict.answered == verdict.stored >= 3 * 46 and verdict.declared == 0
    boots = _trees(site, BOOT)
    assert [tree["boot"] for tree in boots] == [1] and len(_trees(site, SCHEMA)) == 1
    # One start a quarter of an hour, and asleep nearly all of the time.
    assert 47 <= len(slept) <= 49
    assert sum([ms for _, ms, _ in slept]) > 12 * HOUR - 49 * 15000
    # Every eighth wake sends, and the blocks hold what came meanwhile.
    assert 5 <= len([1 for _, _, uplinks in slept if uplinks]) <= 7
    rows = [len(decode(block).rows) for block in site.blocks()]
    assert rows.count(8) >= 15, rows
    # Read on the clock, although a start takes its time.
    late = [at_ms % QUARTER for _, _, at_ms in site.ledger if at_ms > site.begun_ms + HOUR]
    assert max(late) < 6000, late


def test_a_week_with_cuts_and_outages_loses_nothing_silently():
    for seed in _seeds():
        site = BatterySite(seed, _tree(7200, 4))
        site.run(7 * 24 * HOUR, trouble=True)
        site.settle()
        verdict = _assert_whole(site)
        causes = [tree["cause"] for tree in _trees(site, BOOT)]
        assert causes.count("power") > 10 and "sleep" not in causes
        assert verdict.answered > 150 and verdict.stored > verdict.answered * 7 // 10
        assert len(site.slept) > 60


def test_without_a_clock_a_sleep_goes_on_with_boot_and_uptime():
    site = BatterySite(5, _tree(900, 4))
    site.cut(has_clock=False)
    site._sync_at_ms = site.begun_ms + 9 * QUARTER
    site.run(13 * QUARTER)
    assert site.has_clock and {sleep[2] for sleep in site.slept} == {True, False}
    site.settle()
    blocks = [decode(block) for block in site.blocks()]
    assert {block.boot for block in blocks if not block.clock} == {2}
    rows = [row for block in blocks if not block.clock and not block.meter for row in block.rows]
    steps = {(b[0] - a[0] + 10_000) // QUARTER for a, b in zip(rows, rows[1:])}  # noqa: B905, RUF007
    assert len(rows) >= 8 and steps == {1}, rows
    _assert_whole(site)


def test_an_hour_of_failing_radio_costs_its_wakes_and_no_more():
    site = BatterySite(6, _tree(900, 2))
    site.network = False
    site.run(3 * HOUR)
    awake_ms = 3 * HOUR - sum([ms for _, ms, _ in site.slept])
    # Each second wake tries for awake_s, the others read and sleep.
    assert awake_ms < 6 * 130_000 + 8 * 15_000, awake_ms
    site.settle()
    verdict = _assert_whole(site)
    assert verdict.answered == verdict.stored
