"""When the watchdog may be fed: only while every part has moved. The mildest cure comes first.

Not here: tasks and the chip's watchdog (firmware/loop.py does what step() says). A part is what
has `alive_ms`, the tick at which it last did its work: each bus, the uplink, the App. One that
has not moved for a minute has its task started anew; when that does not help within another
minute, the watchdog is fed no more, and the chip resets. A hang of everything ends so by itself.

    watch = Watch(parts, now_ms)
    stuck = watch.step(now_ms)          # number of the part whose task is to start anew, or None
    if watch.may_feed: feed()
"""

from micropython import const

from drivers.ticks import ticks_diff

_LIMIT_MS = const(60000)


class Watch:
    """parts: list of objects with alive_ms."""

    def __init__(self, parts, now_ms, limit_ms=_LIMIT_MS):
        self._parts = parts
        self._limit_ms = limit_ms
        self._cured = [None] * len(parts)
        self.restarts = 0
        self.may_feed = True
        self.is_told = False  # the loop has kept its last words
        for part in parts:
            part.alive_ms = now_ms

    def step(self, now_ms):
        """Return the part whose task is to start anew now; None: all is well, or nothing helps."""
        for i, part in enumerate(self._parts):
            since = self._cured[i]
            if ticks_diff(now_ms, part.alive_ms) < self._limit_ms:
                self._cured[i] = None
            elif since is None:
                self._cured[i] = now_ms
                self.restarts += 1
                return i
            elif ticks_diff(now_ms, since) >= self._limit_ms:
                self.may_feed = False
        return None
