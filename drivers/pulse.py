"""Inputs as meters: pulse outputs (S0), and contacts of doors, lids and floors.

A port of kind "pins" watches its inputs and gives each edge as three bytes (firmware/hal), stamped
when it happened; what an edge means is decided here. Sources: EN 62053-31:1998 (S0: a pulse
lasts 30 ms or more); DIN 43864.

    1 iiiii a l     i: place of the input in the port's `pins`, from 0; l: its level now
    0 ttttttt       a: what was before is not known (the port was opened, or edges were lost)
    0 ttttttt       t: when, ms modulo 16384, high bits first

A level counts once it has lasted `debounce_ms`. Options of both: "input", the place of the
input, from 1 (default 1); "active", the level (0 or 1) that means a pulse or an open door;
"debounce_ms". A map may have the last two, else it is 0 and 20 ms (50 ms of a contact).

Pulse: codes "total" and "rate" (so much an hour, of the period that due() ends). Options "pulses"
and "steps": so many pulses are so many steps of the total's last digit (800 and 1000: 800 imp/kWh
in Wh); "start", what the meter showed when it was connected, in such steps. Contact: codes "state"
(1: active) and "changes" (how often it became active); a change is an event at once, then not
within "hold_s" (default 5) again: what a trembling contact does meanwhile is told at its end.

    pulse = Pulse(load_map("s0_electricity"), {"input": 2, "pulses": 1000, "steps": 1000})
    pulse.feed(b"\x84\x00\x10", 0, 3, now_ms, emit)
    pulse.due(now_ms, emit)
"""

from micropython import const

from drivers.errors import BadFrame
from drivers.gather import rescale
from drivers.reading import (
    COUNTER,
    GAUGE,
    IMPLAUSIBLE,
    KIND_NAMES,
    MISSING,
    NO_REPLY,
    STATE,
    Point,
    Reading,
)
from drivers.ticks import ticks_add, ticks_diff

_MARK = const(0x80)
_ANEW = const(0x02)
_TIME = const(0x3FFF)  # of an edge
_HOUR_MS = const(3_600_000)
_UNKNOWN = const(2)  # no level yet
_LATE_MS = const(12)  # a port tells an edge so much later, at most (firmware/hal/sampler.py)


class _Input:
    """One input: its edges become levels that lasted."""

    waiting = False
    wait_ms = 0
    reply_ms = 10_000
    line = None

    def __init__(self, table, options, desk, codes, debounce_ms):
        about = table or desk
        self._is_desk = table is None
        rows = about["points"]
        names = options.get("points") or ()
        for name in names:
            if not any(row[0] == name for row in rows):
                raise ValueError("points: the map has no %s" % name)
        self.points = tuple(
            Point(row[0], row[1], row[2], KIND_NAMES.index(row[3]), row[4])
            for row in rows
            if not names or row[0] in names
        )
        for point in self.points:
            if (point.code, point.kind) not in codes:
                raise ValueError("points: %s is none of an input" % point.name)
        self._reading = Reading(self.points)
        self._input = options.get("input", 1) - 1
        if not 0 <= self._input <= 31:
            raise ValueError("input: %d is not 1 .. 32" % (self._input + 1))
        self._active = options.get("active", about.get("active", 0))
        if self._active not in (0, 1):
            raise ValueError("active: %s is not 0 or 1" % self._active)
        self._debounce_ms = options.get("debounce_ms", about.get("debounce_ms", debounce_ms))
        if not 1 <= self._debounce_ms <= 5000:
            raise ValueError("debounce_ms: %d is not 1 .. 5000" % self._debounce_ms)
        self.gap_us = 1000 * (self._debounce_ms + _LATE_MS + 2)
        self._now_ms = 0
        self._is_known = False  # an edge has come since the port was opened
        self.reset()

    def request(self, out):
        """Return 0: an input is never asked."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget the level and a half edge, never what was counted."""
        self._length = 0
        self._head = 0
        self._high = 0
        self._level = _UNKNOWN  # what lasted
        self._next = _UNKNOWN  # what may last
        self._next_at = 0  # since when
        self._is_known = False

    def feed(self, data, start, end, now_ms, emit):
        """Take edges; count, and emit what cannot wait."""
        self._now_ms = now_ms
        if start == end:
            length = self._length
            self._length = 0
            self._settle(now_ms & _TIME, emit, _LATE_MS)
            if self._is_desk and self._level != self._next:  # the end of a file
                self._settle(self._next_at + self._debounce_ms, emit)
            if length:
                raise BadFrame("silence after %d bytes of an edge" % length, end)
            return end
        for i in range(start, end):
            byte = data[i]
            length = self._length
            if byte & _MARK:
                self._head = byte
                self._length = 1
                if length:
                    raise BadFrame("edge cut after %d bytes by the next one" % length, i + 1)
            elif length == 0:
                raise BadFrame("0x%02x where an edge should start" % byte, i + 1)
            elif length == 1:
                self._high = byte
                self._length = 2
            else:
                self._length = 0
                if self._head >> 2 & 0x1F == self._input:
                    self._edge(self._high << 7 | byte, i + 1, emit)
        if not self._is_desk:
            self._settle(now_ms & _TIME, emit, _LATE_MS)
        return end

    def _edge(self, at, resume, emit):
        """Take one edge of this input."""
        level = self._head & 1
        if self._head & _ANEW:
            was_known = self._is_known
            self._is_known = True
            self._next = level
            self._next_at = at
            self._begin(level, was_known)
            if was_known:
                raise BadFrame("edges of input %d were lost" % (self._input + 1), resume)
            return
        self._is_known = True
        self._settle(at, emit)
        self._next = level
        self._next_at = at

    def _settle(self, at, emit, late_ms=0):
        """Believe the level that may last once it has lasted; at: ms modulo 16384.

        late_ms: of an edge that has come meanwhile, and is not told yet.
        """
        lasted_ms = (at - self._next_at) & _TIME
        if self._next != self._level and lasted_ms >= self._debounce_ms + late_ms:
            self._level = self._next
            self._lasted(self._level == self._active, emit)

    def _begin(self, level, was_known):
        """Take the level that an input has when it is looked at for the first time."""
        raise NotImplementedError

    def _lasted(self, is_active, emit):
        """Take a level that is another than the one before and has lasted."""
        raise NotImplementedError


class Pulse(_Input):
    """A meter's pulse output, counted. Listens only."""

    def __init__(self, table, options):
        """table: a MAP whose codes are "total" and "rate", or None: counts; options: above."""
        desk = {"points": (("pulses", "", 0, "counter", "total"),)}
        self._pulses = options.get("pulses", (table or desk).get("pulses", 1))
        self._steps = options.get("steps", (table or desk).get("steps", 1))
        if self._pulses < 1 or self._steps < 1:
            raise ValueError("pulses, steps: %d and %d" % (self._pulses, self._steps))
        self._start = options.get("start", 0)
        if self._start < 0:
            raise ValueError("start: %d" % self._start)
        codes = (("total", COUNTER), ("rate", GAUGE))
        _Input.__init__(self, table, options, desk, codes, 20)
        self.carried_key = "%d" % self._start  # another start is another total
        self._total_exponent = 0
        for row in (table or desk)["points"]:
            if row[4] == "total":
                self._total_exponent = row[2]
        self.carried = 0  # pulses, ever: what must outlive a power cut
        self._due_ms = 0
        self._due_at = -1  # pulses when the period began; -1: it did not begin whole
        self._is_lossy = False

    def _begin(self, level, was_known):
        self._level = level  # a pulse that is under way was counted before, or cannot be known
        if was_known:
            self._is_lossy = True

    def _lasted(self, is_active, emit):
        if is_active:
            self.carried += 1
            if self._is_desk:
                self._fill(self._now_ms, emit)

    def due(self, now_ms, emit):
        """Emit the total, and the rate since the last call."""
        if not self._is_desk:
            self._settle(now_ms & _TIME, emit, _LATE_MS)
            self._fill(now_ms, emit)

    def _fill(self, now_ms, emit):
        reading = self._reading
        reading.at_ms = now_ms
        elapsed_ms = ticks_diff(now_ms, self._due_ms)
        points = self.points
        for i in range(len(points)):
            if not self._is_known:
                reading.set(i, None, NO_REPLY)
            elif points[i].code == "total":
                total = self._start + self.carried * self._steps // self._pulses
                quality = IMPLAUSIBLE if self._is_lossy else 0
                total = rescale(total, self._total_exponent, points[i].exponent)
                reading.set(i, total, quality)
            elif self._due_at < 0 or self._is_lossy or elapsed_ms <= 0:
                reading.set(i, None, MISSING)
            else:
                steps = 2 * (self.carried - self._due_at) * self._steps * _HOUR_MS
                count = self._pulses * elapsed_ms
                shift = self._total_exponent - points[i].exponent
                if shift > 0:
                    steps *= 10**shift
                else:
                    count *= 10**-shift
                reading.set(i, (steps + count) // (2 * count))
        self._due_ms = now_ms
        self._due_at = self.carried if self._is_known else -1
        self._is_lossy = False
        emit(reading)

    def reset(self):
        """Forget the level, never the total; the present period is no longer whole."""
        _Input.reset(self)
        self._due_at = -1


class Contact(_Input):
    """A contact: what it says is told at once. Listens only."""

    def __init__(self, table, options):
        """table: a MAP as above, with "events": (name of the end, name of the start), or None."""
        desk = {"points": (("state", "", 0, "state", "state"),)}
        self._events = ("contact_off", "contact_on") if table is None else table["events"]
        self._hold_ms = 1000 * options.get("hold_s", 5)
        if not 0 <= self._hold_ms <= 3_600_000:
            raise ValueError("hold_s: %d is not 0 .. 3600" % (self._hold_ms // 1000))
        self.event = ""  # what emit() says that cannot wait, "" for a period's reading
        self.carried = 0  # changes, and the state in the lowest bit
        self.carried_key = ""
        self._told = 0  # the state that the last event told
        self._told_ms = 0
        self._holds = False  # an event was told less than hold_s ago
        codes = (("state", STATE), ("changes", COUNTER))
        _Input.__init__(self, table, options, desk, codes, 50)

    def _begin(self, level, was_known):
        # Against what it was before the power went: a lid opened in the dark is told too.
        self._level = 1 - self._active if not self.carried & 1 else self._active
        self._told = self.carried & 1

    def _lasted(self, is_active, emit):
        self.carried = ((self.carried >> 1) + is_active) << 1 | is_active
        self._tell(self._now_ms, ticks_add(self._now_ms, -self._age_ms()), emit)

    def _age_ms(self):
        """Return how long ago the present level began."""
        return 0 if self._is_desk else (self._now_ms - self._next_at) & _TIME

    def _tell(self, now_ms, at_ms, emit):
        if self._holds and ticks_diff(now_ms, self._told_ms) >= self._hold_ms:
            self._holds = False
        state = self.carried & 1
        if self._is_desk or (state != self._told and not self._holds):
            self._told = state
            self._told_ms = now_ms
            self._holds = self._hold_ms > 0
            self.event = self._events[state]
            self._fill(at_ms, emit)
            self.event = ""

    def due(self, now_ms, emit):
        """Emit the state, and the event that was held back."""
        if not self._is_desk:
            self._now_ms = now_ms
            self._settle(now_ms & _TIME, emit, _LATE_MS)
            self._fill(now_ms, emit)
            self._tell(now_ms, now_ms, emit)

    def _fill(self, at_ms, emit):
        reading = self._reading
        reading.at_ms = at_ms
        for i in range(len(self.points)):
            if not self._is_known:
                reading.set(i, None, NO_REPLY)
            else:
                kind = self.points[i].code
                reading.set(i, self.carried & 1 if kind == "state" else self.carried >> 1)
        emit(reading)
