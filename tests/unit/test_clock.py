"""Uptime beyond the wrap, trust, steps and slews, and the calendar."""

from agent import clock as c
from drivers.ticks import ticks_add

WALL = 1800000000000  # 2027-01-15


def test_uptime_goes_on_through_the_wrap():
    clock = c.Clock(1)
    tick = (1 << 30) - 1000
    clock.tick(tick)
    for days in range(1, 41):
        tick = ticks_add(tick, 86400000)
        assert clock.tick(tick) == days * 86400000
    assert clock.tick(ticks_add(tick, -5)) == 40 * 86400000


def test_before_the_first_setting_a_time_is_uptime():
    clock = c.Clock(1)
    clock.tick(500)
    clock.tick(1500)
    assert clock.wall_ms_at(1400) == (900, c.UPTIME_ONLY)
    assert clock.set_wall(WALL, 1500, "sntp") == 0
    assert clock.wall_ms_at(1400) == (WALL - 100, c.TRUSTED)


def test_trust_ends_without_a_new_setting():
    clock = c.Clock(1)
    clock.set_wall(WALL, 0, "sntp")
    clock.tick(c.TRUST_MS)
    assert clock.state == c.TRUSTED
    clock.tick(c.TRUST_MS + 1)
    assert clock.wall_ms_at(c.TRUST_MS + 1) == (WALL + c.TRUST_MS + 1, c.FREE_RUNNING)


def test_a_small_correction_is_slewed_and_time_stays_monotonic():
    clock = c.Clock(1)
    clock.set_wall(WALL, 0, "sntp")
    assert clock.set_wall(WALL - 500, 0, "sntp") == 0
    last = 0
    for now in range(0, 600001, 100):
        clock.tick(now)
        wall = clock.wall_ms_at(now)[0]
        assert wall >= last
        last = wall
    assert last == WALL + 600000 - 500
    assert clock.steps == 0


def test_a_large_correction_is_a_declared_step():
    clock = c.Clock(1)
    clock.set_wall(WALL, 0, "sntp")
    assert clock.set_wall(WALL + 60000, 0, "cmd") == 60000
    assert clock.steps == 1 and clock.last_step_ms == 60000


def test_times_outside_the_plausible_are_refused():
    clock = c.Clock(1)
    for wall in (0, c.FLOOR_MS - 1, c.CEILING_MS, -1):
        try:
            clock.set_wall(wall, 0, "x")
        except ValueError:
            continue
        raise AssertionError(wall)
    assert clock.state == c.UPTIME_ONLY


def test_tls_gets_the_floor_until_the_clock_is_set():
    clock = c.Clock(1, floor_ms=WALL)
    assert clock.tls_ms() == WALL
    clock.set_wall(WALL + 5, 0, "x")
    assert clock.tls_ms() == WALL + 5


def test_calendar_and_both_epochs():
    for date, days in (
        ((1970, 1, 1), 0),
        ((2000, 1, 1), 10957),
        ((2000, 2, 29), 11016),
        ((2036, 2, 7), 24143),  # SNTP era 1
        ((2038, 1, 19), 24855),  # 2**31 seconds
        ((2100, 3, 1), 47541),
    ):
        assert c.days_from_civil(*date) == days
        assert c.civil_from_days(days) == date
    for days in range(0, 60000, 7):
        assert c.days_from_civil(*c.civil_from_days(days)) == days
