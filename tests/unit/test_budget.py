"""Bytes a day: what waits first, what never does, and that restarts do not begin the day anew."""

from agent.budget import Budget
from agent.poster import Poster
from agent.session import OPEN
from agent.uplink import Uplink
from tests.fakes.broker import Broker, pump
from tests.fakes.journal import MemoryJournal
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.web_collector import WebCollector

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}
DAY_MS = 86400000
NOON = 20000 * DAY_MS + DAY_MS // 2


def _make(limit, kind=Uplink, wall_ms=NOON):
    journal = MemoryJournal()
    uplink = kind({"host": "h", "keepalive_s": 0}, journal, IDENTITY, lambda n: 0)
    uplink.budget = Budget(limit, None)
    uplink.budget.at(wall_ms, True)
    return uplink, journal


def test_every_write_and_read_counts_with_what_is_around_it():
    for spend, count, spent in (
        ("spend", 60, 140),
        ("spend", 1460, 1540),
        ("spend", 1461, 1621),
        ("spend_datagram", 48, 76),
    ):
        budget = Budget(1000, None)
        getattr(budget, spend)(count)
        assert budget.spent == spent, (spend, count)
    budget.spend_opening()
    assert budget.spent == 376


def test_live_values_keep_to_the_part_of_the_day_that_has_passed():
    budget = Budget(100000, None)
    budget.at(NOON - DAY_MS // 4, True)
    budget.spend(20000)
    assert budget.may_send_live
    budget.spend(5000)
    assert not budget.may_send_live and budget.may_send_records
    budget.at(NOON, True)
    assert budget.may_send_live


def test_live_values_wait_first_then_records_then_everything():
    uplink, journal = _make(60000)
    broker = Broker(b"gw")
    pump(uplink, broker, 0)
    uplink.budget.spend(31000)
    uplink.publish_state(b"live")
    journal.fill(1)
    pump(uplink, broker, 1)
    assert b"state" not in broker.topics and broker.arrived == [1]
    uplink.budget.spend(25000)
    journal.fill(1)
    uplink.publish_result(b"done")
    pump(uplink, broker, 2)
    assert broker.arrived == [1] and broker.topics[-1] == b"result"
    uplink.budget.spend(10000)
    pump(uplink, broker, 1000)
    assert uplink.state == "offline: the bytes of this day are spent"
    for at in range(2000, 600000, 10000):
        pump(uplink, broker, at)
    assert broker.arrived == [1] and uplink.counters["sessions"] == 1
    uplink.budget.at(NOON + DAY_MS // 2, True)
    pump(uplink, broker, 700000)
    assert broker.arrived == [1, 2] and journal.acked == 2


def test_by_https_records_wait_for_the_next_day_too():
    uplink, journal = _make(20000, Poster)
    web = WebCollector()
    pump(uplink, web, 0)
    uplink.budget.spend(18000)
    journal.fill(3)
    for at in range(0, 100000, 1000):
        pump(uplink, web, at)
    assert web.arrived == []
    uplink.budget.at(NOON + DAY_MS, True)
    pump(uplink, web, 200000)
    assert web.arrived == [1, 2, 3]


def test_a_restart_goes_on_with_the_day_and_a_new_day_begins_at_zero():
    ground = MemoryGround()
    budget = Budget(16000, ground)
    budget.at(NOON, True)
    for _ in range(50):
        budget.spend(60)
    assert budget.spent == 7000 and ground.writes < 16  # flash is not worn by counting
    again = Budget(16000, ground.cut())
    again.at(NOON + 1, True)
    assert 7000 <= again.spent <= 8000
    again = Budget(16000, ground.cut())
    again.at(NOON + DAY_MS, True)
    assert again.spent == 0


def test_a_start_without_a_clock_takes_the_kept_day_for_today_until_a_clock_says_other():
    ground = MemoryGround()
    budget = Budget(16000, ground)
    budget.at(NOON, True)
    budget.spend(8000)
    for later_ms, least, most in ((1, 9000, 10500), (DAY_MS, 400, 600)):
        again = Budget(16000, ground.cut())
        again.at(5000, False)
        assert again.spent > 8000  # as if it were still the same day
        again.spend(420)
        again.at(NOON + later_ms, True)
        assert least <= again.spent <= most, again.spent


def test_without_any_clock_a_day_is_one_of_uptime_and_its_slot_keeps_the_last_day_known():
    ground = MemoryGround()
    budget = Budget(16000, ground)
    budget.at(0, False)
    budget.spend(15920)
    assert budget.is_spent
    again = Budget(16000, ground.cut())
    again.at(0, False)
    assert again.is_spent
    again.at(DAY_MS, False)
    assert not again.is_spent and again.spent == 0


def test_a_flash_that_fails_counts_on():
    ground = MemoryGround()
    ground.fail = 1000
    budget = Budget(1000, ground)
    budget.at(NOON, True)
    budget.spend(960)
    assert budget.is_spent
    budget.at(NOON + DAY_MS, True)
    assert not budget.is_spent


def test_a_session_is_opened_while_nothing_is_spent():
    uplink, _ = _make(10000)
    uplink.step(0)
    assert uplink.action == OPEN
