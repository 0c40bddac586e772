"""When each meter is due: aligned to its interval, wrap-safe, free of drift.

Not a timer: the App asks `due()` and is told once per period. Periods start at multiples of the
interval in wall time (in uptime while the clock is unset), so that readings of many gateways
line up and a restart falls into the same pattern.

    schedule = Schedule((10_000, 60_000))
    schedule.align(clock_ms, now_ms)
    if schedule.due(0, now_ms): ...
"""

from drivers.ticks import ticks_add, ticks_diff


class Schedule:
    """The next due tick of each meter.

    intervals_ms  sequence of 100 .. 2**28 (about three days) per meter
    """

    def __init__(self, intervals_ms):
        self._intervals = list(intervals_ms)
        self._next = [0] * len(self._intervals)
        self.skipped = 0  # whole periods that passed without a call

    def align(self, clock_ms, now_ms):
        """Put every next due time on the coming multiple of its interval.

        clock_ms  wall or uptime milliseconds (any size) at the tick now_ms
        """
        for i, interval in enumerate(self._intervals):
            self._next[i] = ticks_add(now_ms, interval - clock_ms % interval)

    def change(self, index, interval_ms):
        """Give one meter another interval; align() then puts it on its multiples."""
        self._intervals[index] = interval_ms

    def due(self, index, now_ms):
        """Return true once per period of this meter; periods that were missed are counted."""
        late = ticks_diff(now_ms, self._next[index])
        if late < 0:
            return False
        interval = self._intervals[index]
        missed = late // interval
        self.skipped += missed
        self._next[index] = ticks_add(self._next[index], (missed + 1) * interval)
        return True

    def wait_ms(self, now_ms, most_ms):
        """Return how long until the next meter is due, 0 .. most_ms."""
        wait = most_ms
        for due in self._next:
            left = ticks_diff(due, now_ms)
            wait = min(wait, left)
        return max(wait, 0)
