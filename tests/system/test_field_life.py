"""The whole App through hours of field life by seed: nothing lost, nothing twice, nothing changed.

`ECLOR_SEEDS=100` runs so many seeds instead of the sample.
"""

# The broker, the ledger and copies of the flash:
# heap: 8m

import json
import os

from agent.record import BOOT, EVENT
from tests.fakes.virtual_gateway import TREE, PowerCut, Site

HOUR = 3600 * 1000


def _seeds():
    getenv = getattr(os, "getenv", None)
    return range(1, 1 + int((getenv and getenv("ECLOR_SEEDS")) or 3))


def _assert_whole(site, seed):
    verdict = site.judge()
    wrong = (verdict.wrong, site.broker.changed)
    assert wrong == (([], [], []), []), (seed, wrong, site.timeline)
    return verdict


def _kinds(site):
    return [record[1] for record in site.broker.stored.values()]


def test_a_quiet_day_is_stored_to_the_last_answer():
    site = Site(1)
    site.run(2 * HOUR)
    site.settle()
    verdict = _assert_whole(site, 1)
    assert verdict.answered == verdict.stored > 1000
    assert verdict.declared == verdict.superseded == 0


def test_power_cuts_outages_and_damaged_lines_lose_nothing_silently():
    for seed in _seeds():
        site = Site(seed)
        site.run(3 * HOUR, trouble=True)
        site.settle()
        verdict = _assert_whole(site, seed)
        assert site.starts > 3 and verdict.declared and verdict.superseded
        # What a power cut may cost is bounded by max_loss_s, not by luck.
        assert verdict.stored > verdict.answered * 8 // 10


def test_an_absent_broker_costs_nothing_but_time():
    site = Site(5)
    site.network = False
    site.run(HOUR)
    assert not site.broker.stored and site.app.uplink.state.startswith("offline: no network")
    site.settle()
    verdict = _assert_whole(site, 5)
    assert verdict.stored == verdict.answered


def test_an_absent_collector_fills_the_journal_and_no_reading_goes():
    site = Site(6)
    site.broker.lose_acknowledged = True  # a broker alone: it takes, nobody stores
    site.run(HOUR)
    assert not site.broker.stored and site.app.journal.acked == 0
    site.settle()
    verdict = _assert_whole(site, 6)
    assert verdict.stored == verdict.answered


def test_an_absent_meter_is_said_once_and_the_others_go_on():
    site = Site(7)
    site.meters[0].dead = True
    site.run(HOUR)
    site.meters[0].dead = False
    site.run(HOUR)
    site.settle()
    verdict = _assert_whole(site, 7)
    boiler = [entry for entry in site.ledger if entry[0] == 1]
    assert len(boiler) >= 230 and verdict.stored + 1 >= verdict.answered  # a probe
    said = [bytes(payload) for payload in site.payloads(EVENT)]
    silent = [text for text in said if b"meter_silent" in text and b"pump" in text]
    back = [text for text in said if b"meter_ok" in text and b"pump" in text]
    assert len(silent) == 2 and len(back) == 1, said  # at the start, and when the site ended


def test_a_full_journal_declares_what_it_dropped():
    tree = dict(TREE)
    tree["journal"] = {"size_kb": 32, "max_loss_s": 30}
    site = Site(8, tree)
    site.network = False
    site.run(14 * HOUR)
    assert site.app.journal.lost_last > 0
    site.settle()
    verdict = _assert_whole(site, 8)
    assert verdict.declared > 0 and verdict.stored > 0


def test_power_that_goes_at_every_flash_operation_of_an_hour_loses_nothing():
    site = Site(9)
    for _ in range(60):
        site._grounds[0].cut_in = 1 + site.random(5)
        site.run(HOUR // 60)
    site.settle()
    _assert_whole(site, 9)
    assert site.starts > 30 and _kinds(site).count(BOOT) > 20


def test_a_clock_that_was_wrong_for_a_while_hides_no_gap():
    for off_ms in (3 * 24 * HOUR, -3 * 24 * HOUR):
        site = Site(10)
        site.run(HOUR // 12)
        for wrong_ms in (off_ms, 0):
            site.set_off(wrong_ms)
            site.set_clock()
            site.run(2000)
            site.cut()  # before the next save of its own
            site.run(HOUR // 12)
        site.settle()
        _assert_whole(site, 10)
        boots = [json.loads(bytes(payload)) for payload in site.payloads(BOOT)]
        spans = [tree["to_ms"] - tree["from_ms"] for tree in boots if tree["from_ms"]]
        assert len(spans) == 2 and 0 <= min(spans) and max(spans) <= 3000, spans


def test_the_fake_power_cut_is_no_error_that_a_room_could_catch():
    assert not issubclass(PowerCut, Exception)
