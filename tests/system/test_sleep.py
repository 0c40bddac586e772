"""What a battery site's life leaves for the next one, and when it may not sleep."""

# The broker, the ledger and copies of the flash:
# heap: 8m

from agent.clock import FREE_RUNNING, TRUSTED, Clock
from agent.sleep import SLOT, Sleep
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.virtual_gateway import TREE, WALL_MS, Site

_MINUTE = 60_000
SETTINGS = {"uplink_every": 3, "awake_s": 120}


def _site(**changes):
    tree = dict(TREE)
    tree["meters"] = [dict(meter, interval_s=600) for meter in TREE["meters"]]
    tree["power"] = {"sleep": True, "uplink_every": 3}
    tree.update(changes)
    return Site(1, tree)


def _next_life(site, ms):
    """Run to the coming sleep, and let only Sleep see the life after it."""
    before = len(site.slept)
    while len(site.slept) == before:
        site.run(ms)
    sleep = Sleep(SETTINGS, site._grounds[1], "sleep")
    clock = Clock(99)
    clock.tick(0)
    sleep.wake(clock, 0)
    return sleep, clock


def test_each_third_wake_sends_and_the_first_life_does():
    site = _site()
    site.run(130 * _MINUTE)
    sent = [uplinks for _, _, uplinks in site.slept]
    assert sent[:7] == [True, False, False, True, False, False, True]


def test_boot_and_uptime_go_on_and_only_after_a_planned_sleep():
    site = _site()
    sleep, clock = _next_life(site, _MINUTE)
    assert sleep.is_planned and clock.boot == 1
    at_ms, ms, _ = site.slept[0]
    assert 0 <= clock.uptime_ms - (at_ms + ms - WALL_MS) < 1000
    for cause in ("power", "soft", "watchdog", "brownout"):
        other = Sleep(SETTINGS, site._grounds[1], cause)
        clock = Clock(99)
        other.wake(clock, 0)
        assert not other.is_planned and other.uplinks and clock.boot == 99


def test_a_record_that_is_damaged_or_absent_makes_it_an_ordinary_start():
    site = _site()
    _next_life(site, _MINUTE)
    ground = site._grounds[1]
    good = ground.slots[SLOT]
    for i in range(len(good)):
        ground.slots[SLOT] = good[:i] + bytes((good[i] ^ 1,)) + good[i + 1 :]
        assert not Sleep(SETTINGS, ground, "sleep").is_planned, i
        ground.slots[SLOT] = good[:i]
        assert not Sleep(SETTINGS, ground, "sleep").is_planned, i
    assert not Sleep(SETTINGS, MemoryGround(), "sleep").is_planned


def test_trust_in_the_clock_is_not_renewed_by_waking():
    site = _site()
    site.run(5 * 60 * _MINUTE)
    assert site.app.clock.state == TRUSTED
    site.run(90 * _MINUTE)
    assert site.app.clock.state == FREE_RUNNING
    site = _site()
    site.drift_ppm = 50_000  # an ESP32: asleep it has no crystal
    site.run(25 * _MINUTE)
    assert len(site.slept) == 3 and site.app.clock.state == FREE_RUNNING


def test_a_chip_that_cannot_sleep_for_so_long_naps():
    site = _site()
    site.longest_ms = 4 * _MINUTE
    site.run(62 * _MINUTE)
    due = [ms for _, ms, _ in site.slept if ms < 4 * _MINUTE]
    assert len(site.slept) > 15 and len(due) >= 5
    # A nap is no wake: it neither reads nor counts towards the uplink.
    assert len([1 for _, _, uplinks in site.slept if uplinks]) <= 4
    read = [at_ms for meter, _, at_ms in site.ledger if meter == 0]
    assert len(read) == 6


def test_people_at_work_and_a_flash_that_fails_keep_it_awake():
    site = _site()
    site.run(_MINUTE)
    assert len(site.slept) == 1
    site.run(10 * _MINUTE)
    site.app.orders.maintain(30)
    slept = len(site.slept)
    site.run(25 * _MINUTE)
    assert len(site.slept) <= slept + 1 and site.app.orders.keeps_awake()
    site.run(20 * _MINUTE)
    assert len(site.slept) > slept + 1
    site.app.journal.degraded = site.app.journal.blind = True
    slept = len(site.slept)
    site.run(25 * _MINUTE)
    assert len(site.slept) == slept


def _at_leave(site, order):
    """Let an order come whenever the gateway has just taken leave."""
    uplink = site.app.uplink
    leave = uplink.leave

    def leave_late(seconds):
        leave(seconds)
        order()

    uplink.leave = leave_late


def test_an_order_that_comes_while_it_takes_leave_finds_it_on_line_again():
    site = _site()
    uplink = site.app.uplink
    _at_leave(site, lambda: site.app.orders.maintain(30))
    site.run(11 * _MINUTE)
    assert site.slept == [] and site.app.uplink is uplink
    assert uplink.state == "online" and uplink.counters["sessions"] == 2


def test_what_an_order_gave_while_it_takes_leave_is_said_before_it_sleeps():
    site = _site()

    def answer():
        if not site.broker.topics.count(b"result"):
            site.app.uplink.publish_result(b"done")  # of an order that keeps nobody awake

    _at_leave(site, answer)
    site.run(2 * _MINUTE)
    assert site.broker.topics.count(b"result") == 1 and len(site.slept) == 1


def test_no_result_keeps_it_awake_for_ever():
    site = _site(power={"sleep": True, "uplink_every": 3, "awake_s": 120})
    site.network = False
    uplink = site.app.uplink
    site.run(_MINUTE)
    assert not site.slept
    uplink.publish_result(b"done")
    site.run(2 * _MINUTE)
    assert not site.slept, "as long again"
    site.run(2 * _MINUTE)
    assert len(site.slept) == 1


def test_another_configuration_begins_its_own_blocks():
    site = _site()
    site.run(25 * _MINUTE)
    assert site.app.blocks[0].count
    tree = dict(TREE)
    tree["meters"] = [dict(meter, interval_s=1200) for meter in TREE["meters"]]
    tree["power"] = {"sleep": True, "uplink_every": 3}
    site.configure(tree)
    site.run(20 * _MINUTE)
    assert site.app.config["meters"][0]["interval_s"] == 1200
    assert not site.app.sleep.is_planned or site.app.blocks[0].count < 2
    site.settle()
    assert site.judge().wrong == ([], [], [])
