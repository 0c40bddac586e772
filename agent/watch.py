"""When the watchdog may be fed: only while every part has moved. The mildest cure comes first.

Not here: tasks and the chip's watchdog (firmware/loop.py does what step() says). A part is what
has `alive_ms`, the tick at which it last did its work: each bus, the uplink, the App. One that
has not moved for a minute has its task started anew. Then it depends on what it is:

| part | stands still for another minute |
| --- | --- |
| a port, within ten minutes | it rests, 2 minutes, then 4, 8 .. 60, while the others go on |
| the uplink, the App | the watchdog is fed no more, and the chip resets |

A port also rests when its task fails again and again: five errors within a minute. Ten minutes
in which it moves without an error forget all that. A hang of everything ends with the watchdog.

    watch = Watch(parts, now_ms, ports=2)      # the first two parts are ports
    stuck = watch.step(now_ms)                 # number of the part whose task is to start anew
    rest_ms = watch.rest_ms                    # after so long; 0: at once
    rest_ms = watch.failed(index, now_ms)      # a port's task ended with an error
    if watch.may_feed: feed()
"""

from micropython import const

from drivers.ticks import ticks_add, ticks_diff

_LIMIT_MS = const(60_000)
_REST_MS = const(120_000)
_REST_MAX_MS = const(3_600_000)
_WELL_MS = const(600_000)
_ERRORS = const(5)


class Watch:
    """parts: list of objects with alive_ms, ports first. ports: how many of them are."""

    def __init__(self, parts, now_ms, ports=0, limit_ms=_LIMIT_MS):
        self._parts = parts
        self._ports = ports
        self._limit_ms = limit_ms
        self._cured = [None] * len(parts)
        self._until = [None] * ports  # the end of a port's rest
        self._rests = [0] * ports  # in a row
        self._since = [None] * ports  # when its task was started anew
        self._errors = [0] * ports
        self._error_ms = [now_ms] * ports
        self.rest_ms = 0
        self.restarts = 0
        self.may_feed = True
        self.is_told = False  # the loop has kept its last words
        for part in parts:
            part.alive_ms = now_ms

    def is_resting(self, index):
        """Tell whether a port rests now."""
        return index < self._ports and self._until[index] is not None

    def step(self, now_ms):
        """Return the part whose task is to start anew; None: all is well, or nothing helps."""
        self.rest_ms = 0
        for i, part in enumerate(self._parts):
            if self.is_resting(i):
                if ticks_diff(self._until[i], now_ms) > 0:
                    continue
                self._until[i] = self._cured[i] = None
                self._since[i] = part.alive_ms = now_ms
            since = self._cured[i]
            if ticks_diff(now_ms, part.alive_ms) < self._limit_ms:
                self._cured[i] = None
                self._forget(i, now_ms)
            elif since is None and not self._was_cured(i):
                self._cured[i] = now_ms
                self.restarts += 1
                if i < self._ports:
                    self._since[i] = now_ms
                return i
            elif i < self._ports:
                if since is None or ticks_diff(now_ms, since) >= self._limit_ms:
                    self.rest_ms = self._rest(i, now_ms)
                    return i
            elif ticks_diff(now_ms, since) >= self._limit_ms:
                self.may_feed = False
        return None

    def failed(self, index, now_ms):
        """Take note that a port's task ended with an error; return how long it rests, mostly 0."""
        if ticks_diff(now_ms, self._error_ms[index]) >= self._limit_ms:
            self._errors[index] = 0
        if not self._errors[index]:
            self._error_ms[index] = now_ms
        self._errors[index] += 1
        return self._rest(index, now_ms) if self._errors[index] >= _ERRORS else 0

    def _was_cured(self, i):
        """Tell whether a port's task was started anew, and not been well for long enough since."""
        return i < self._ports and (self._rests[i] > 0 or self._since[i] is not None)

    def _rest(self, i, now_ms):
        rest_ms = min(_REST_MS << min(self._rests[i], 8), _REST_MAX_MS)
        self._rests[i] += 1
        self._errors[i] = 0
        self._until[i] = ticks_add(now_ms, rest_ms)
        return rest_ms

    def _forget(self, i, now_ms):
        """Forget the cures of a port that has moved long enough without an error."""
        if i < self._ports and self._since[i] is not None:
            if self._errors[i]:
                self._since[i] = now_ms
                if ticks_diff(now_ms, self._error_ms[i]) >= self._limit_ms:
                    self._errors[i] = 0
            elif ticks_diff(now_ms, self._since[i]) >= _WELL_MS:
                self._rests[i] = 0
                self._since[i] = None
