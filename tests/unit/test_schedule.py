"""Due times are aligned, do not drift, and survive the wrap of the ticks."""

from agent.schedule import Schedule
from drivers.ticks import ticks_add


def test_due_once_per_period_on_the_clock_across_the_wrap():
    schedule = Schedule((10_000,))
    start = (1 << 30) - 25_000
    schedule.align(1766534403_000, start)
    dues = [ms for ms in range(0, 60_000, 100) if schedule.due(0, ticks_add(start, ms))]
    assert dues == [7_000, 17_000, 27_000, 37_000, 47_000, 57_000]
    assert schedule.skipped == 0


def test_missed_periods_are_counted_and_not_made_up():
    schedule = Schedule((1_000,))
    schedule.align(0, 0)
    assert schedule.due(0, 5_500) and schedule.skipped == 4
    assert not schedule.due(0, 5_900) and schedule.due(0, 6_000)
    assert schedule.wait_ms(6_400, 9_000) == 600
