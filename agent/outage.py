"""When to try again to write a flash that failed: after 5 s, then less and less often.

Not here: what failed and what is lost meanwhile (journal.py).
"""

from micropython import const

from drivers.ticks import ticks_add, ticks_diff

_FIRST_MS = const(5_000)
_CAP_MS = const(300_000)


class Outage:
    """The time between two attempts."""

    def __init__(self):
        self._wait_ms = 0
        self._at_ms = 0

    def is_due(self, now_ms):
        """Say whether an attempt is due; the first call begins the outage."""
        if not self._wait_ms:
            self._wait(_FIRST_MS, now_ms)
        return ticks_diff(now_ms, self._at_ms) >= 0

    def goes_on(self, now_ms):
        """The attempt failed."""
        self._wait(min(2 * self._wait_ms, _CAP_MS), now_ms)

    def is_over(self):
        """The attempt succeeded."""
        self._wait_ms = 0

    def _wait(self, wait_ms, now_ms):
        self._wait_ms = wait_ms
        self._at_ms = ticks_add(now_ms, wait_ms)
