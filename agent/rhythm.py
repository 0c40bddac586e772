"""The rhythm of a meter that pushes: how long its line is silent between two telegrams.

Not what a telegram is: the driver says when one has ended (agent/bus.py). The shortest pause
heard counts; it is forgotten slowly when all later ones are longer.

    rhythm.hears(now_ms)              # before bytes are fed to the driver
    rhythm.has_fed(is_end)            # after; is_end: they ended a telegram
    rhythm.silent_ms(now_ms)          # what is left of the pause, 0: not between telegrams
"""

from micropython import const

from drivers.ticks import ticks_diff

_TRAIL_MS = const(5)  # bytes that come so soon after a telegram belong to it
_LOOK_MS = const(10)  # after a longer look away nobody knows when a telegram began or ended
_PAUSES = const(4)  # so many have to be heard before the rhythm counts as known


class Rhythm:
    """One line's.

    is_between  a telegram has ended and none has begun
    pause_ms    the shortest pause; 0: not known
    heard_ms    the tick of the last byte
    """

    def __init__(self):
        self.begin(0)

    def begin(self, now_ms):
        """Know nothing: the port was opened."""
        self.is_between = False
        self.pause_ms = 0
        self.heard_ms = self._looked_ms = now_ms
        self._shortest_ms = 0
        self._pauses = 0
        self._is_late = False

    def look(self, now_ms):
        """Nothing has come until now."""
        self._looked_ms = now_ms

    def hears(self, now_ms):
        """Bytes have come."""
        self._is_late = ticks_diff(now_ms, self._looked_ms) > _LOOK_MS
        silent_ms = ticks_diff(now_ms, self.heard_ms)
        if self.is_between and silent_ms > _TRAIL_MS:
            self.is_between = False
            if not self._is_late:
                self._learn(silent_ms)
        self.heard_ms = self._looked_ms = now_ms

    def has_fed(self, is_end):
        """The driver has taken the bytes; return whether a pause begins now."""
        if self._is_late:
            self.is_between = False
            return False
        self.is_between = self.is_between or is_end
        return is_end

    def silent_ms(self, now_ms):
        """Return for how many ms from now on the line will be silent."""
        if not self.is_between:
            return 0
        return max(0, self.pause_ms - ticks_diff(now_ms, self.heard_ms))

    def _learn(self, pause_ms):
        if not self._pauses or pause_ms < self._shortest_ms:
            self._shortest_ms = pause_ms
        else:
            self._shortest_ms += (pause_ms - self._shortest_ms) >> 4
        if self._pauses < _PAUSES:
            self._pauses += 1
        if self._pauses == _PAUSES:
            self.pause_ms = self._shortest_ms
