"""Readings -> the rows of a block: the writer's half of codec_rows.py, and the habits it noticed.

What a channel follows and the grid its values lie on are told at the head of a block; they are
guessed here from the block before. None of that is part of the format: a reader is told.
"""

from array import array

from micropython import const

from agent.codec_rows import CELLS_MAX, Rows

_BIAS = const(0x20000000)
_OFFSET = const(0x400000)
_SMALL_BITS = const(23)
_ABSENT = const(0x1000000)

# Words of the block (codec_plain.py).
_LOW = const(0)
_SPAN = const(1)
_AT = const(2)
_SLOT = const(5)
_ANSWER = const(6)
_FAR = const(8)
_MARK = const(9)
_CARRIED = const(10)
_MARK_LOW = const(11)
_MARK_SPAN = const(12)
_WATCHED = const(13)
_EVENTS = const(14)
_LEFT = const(15)
_ROOM = const(16)
_WORDS = const(17)
_CHANNEL = const(29)
_C2 = const(2)
_C3 = const(3)
_MISS = const(21)
_SCORE = const(26)
_NOTE = const(4)
ROW = const(36)  # the mode for a row that the kernel does alone

# What the kernel answers.
_FAR_OFF = const(2)
_WATCH_OVER = const(4)
_FULL = const(8)
ODD = const(16)

# Slots of `plain`.
_ODD_BEFORE = const(0)
_PLAIN_BEFORE = const(1)

_COUNT_MAX = const(0xFFFF)  # rows of a block

_EVENTS_MIN = const(8)  # of a channel, to say what it follows
_STEADY_ROWS = const(12)
_GRID_SEEN = const(8)  # differences, to believe in a grid
_GRID_MAX = const(0x100000)
_JUMPS_MIN = const(1)  # before a channel is wide
_NARROW = const(17)  # bits that are modelled of it
_OWN_GUESSES = const(4)  # that need no other channel
_SMALL_SUM = const(20)


class Writer(Rows):
    """Rows, in the direction from values to bytes.

    is_odd_time  a step was no whole number of units
    step_ms      a row so long after the one before, of the usual qualities, is for the kernel
                 alone: found = code(*fast[:8], ROW, values, fast[8]); None: no row is
    usual        the qualities of the row before
    """

    def __init__(self, points):
        super().__init__(points)
        self.is_odd_time = False
        self.step_ms = None
        self.usual = self._quality
        self.fast: tuple = ()
        channels = points + 1
        self._data = b""
        # The bits of a value in a row; then the value that is 0 there; None: the point has none
        # now, or is wide.
        self._lows: list = [_SMALL_BITS] + [None] * points
        self._jumps = bytearray(channels)  # of this block
        self._steady = bytearray(channels)  # rows since a wide channel moved widely
        self._watched = 1  # the channel whose turns are compared with those of others
        self._blocks = 0  # that it was
        self._turn = 0  # of the channel that is looked at as a sum
        self._events = 0  # of the watched channel, before this block
        self._scores = array("h", bytes(4 * channels))
        self._divisors = array("I", bytes(4 * channels))
        self._differences = bytearray(channels)

    def begin(self, data, at, end, room, values, quality):
        """Start a block with its first row.

        data  from the index `at` it may be used up to end; no later row may pass room
        """
        self._conclude_block(values)
        for i in range(self.points + 1):
            self._jumps[i] = self._steady[i] = 0
        self._data = data
        self._begin(data, at, end, 0, self._watched)
        state = self.state
        state[_EVENTS] = self._events
        state[_LEFT] = min(_COUNT_MAX, CELLS_MAX // (self.points + 1)) - 1
        state[_ROOM] = room
        self.fast = self._parts + (self.points + 1, self._lows)
        self.step_ms = None
        self._odd_row(0, values, quality, True)
        state[_SLOT] = _PLAIN_BEFORE
        self._note_lows()

    def put(self, step_ms, values, quality, found):
        """Write a row, step_ms after the row before, or finish the one that gave found.

        False when it ends beyond the room: then the bytes are as before the row, and what was
        learnt is of no more use.
        """
        state = self.state
        if found == ODD:
            if not state[_LEFT]:
                return False
            state[_LEFT] -= 1
            self.step_ms = None
            found = self._put_slowly(step_ms, values, quality)
            if state[_AT] > state[_ROOM]:
                found |= _FULL
        if found & _FULL:
            self._take_back()
            self.step_ms = None
            state[_LEFT] = 0
            return False
        if found & (_FAR_OFF | _WATCH_OVER):
            self._attend(found)
        return True

    def _put_slowly(self, step_ms, values, quality):
        """Write a row; let the kernel take the next of its kind alone."""
        step = step_ms // self.unit_ms
        if step * self.unit_ms != step_ms:
            self.is_odd_time = True
            return self._put_odd(step_ms, values, quality)
        step += _OFFSET - self._bases[0]
        if step >> _SMALL_BITS or quality != self.usual or not self._put_small(values):
            return self._put_odd(step_ms, values, quality)
        state = self.state
        self.row[0] = step
        state[_ANSWER] = 1
        found = self._code(self.points + 1, _NOTE)
        state[_SLOT] = _PLAIN_BEFORE
        if self._is_wide:
            self._put_tails(values)
        if None not in self._lows:
            self.step_ms = step_ms
        return found

    def _put_small(self, values):
        """Fill the row where some points have no value; false when it is no plain row."""
        row = self.row
        for channel in range(1, self.points + 1):
            value = values[channel - 1]
            if (value is None) != (self._forms[channel] < 128):
                return False
            if value is None:
                row[channel] = _ABSENT
                continue
            wide = self._wide[channel]
            if wide:
                if abs(value - self._last(channel)) >> wide - 1:
                    self._steady[channel] = 0
                else:
                    self._steady[channel] += 1
                    if self._steady[channel] > _STEADY_ROWS:
                        return False
                value >>= wide
            value += _OFFSET - self._bases[channel]
            if value >> _SMALL_BITS:
                return False
            row[channel] = value
        return True

    def _put_odd(self, step_ms, values, quality):
        state = self.state
        state[_ANSWER] = 0
        self._code(0, _NOTE)
        found = self._odd_row(step_ms, values, quality, False)
        state[_SLOT] = _ODD_BEFORE
        self._note_lows()
        return found

    def _attend(self, found):
        """Do what the kernel asked for after a row."""
        if found & _FAR_OFF:
            self._rebase()
            self._note_lows()
            self.step_ms = None
        if found & _WATCH_OVER:
            self._conclude()
        self.state[_FAR] = 0

    def _note_lows(self):
        for channel in range(1, self.points + 1):
            has = self._forms[channel] & 128 and not self._wide[channel]
            self._lows[channel] = self._bases[channel] - _OFFSET if has else None

    def _take_back(self):
        """Put the coder back to where it stood before the row."""
        state = self.state
        at = state[_MARK]
        if state[_CARRIED]:
            _borrow(self._data, at)
        state[_AT] = at
        state[_LOW] = state[_MARK_LOW]
        state[_SPAN] = state[_MARK_SPAN]

    # --- a wide channel

    def _is_over(self, channel):
        return self._steady[channel] > _STEADY_ROWS

    def _width(self, channel, value):
        if not self._known[channel]:
            return 0
        if self._is_over(channel):
            self._steady[channel] = self._jumps[channel] = 0
            return 0
        if self._jumps[channel] < _JUMPS_MIN:
            self._jumps[channel] += 1
            return self._wide[channel]
        step = abs(value - self._last(channel))
        width = 1
        while step >> width + _NARROW:
            width += 1
        return max(width, self._wide[channel])

    # --- what was noticed, for the next block

    def _conclude_block(self, values):
        state = self.state
        self._events = state[_EVENTS]
        for channel in range(1, self.points + 1):
            at = _WORDS + channel * _CHANNEL
            terms = self.terms[channel]
            if terms:
                misses = min(state[at + _MISS + i] for i in range(_OWN_GUESSES))
                if state[at + _MISS + _OWN_GUESSES] * 10 >= misses * 16:
                    self.terms[channel] = ()
            if self._turn in (0, channel):
                self.terms[channel] = self._sum(channel, values) or self.terms[channel]
        self._turn = self._turn % self.points + 1 if self.points else 0
        self._blocks += 1
        if self._blocks > 2 or self._events < _EVENTS_MIN:
            self._conclude()
        else:
            self._note()

    def _note(self):
        """Add up what the kernel counted; see which number divides all differences."""
        state = self.state
        for channel in range(self.points + 1):
            at = _WORDS + channel * _CHANNEL
            for i in range(2):
                if state[at + _SCORE + i]:
                    self._scores[2 * channel + i] += state[at + _SCORE + i] - _BIAS
                    state[at + _SCORE + i] = _BIAS
            divisor = self._divisors[channel]
            if channel and divisor != 1 and not self._wide[channel]:
                for i in (_C2, _C3):
                    divisor = self._divide(channel, divisor, abs(state[at] - state[at + i]))
                self._divisors[channel] = divisor
                is_grid = 1 < divisor < _GRID_MAX and self._differences[channel] >= _GRID_SEEN
                self.grids[channel] = divisor if is_grid else 1

    def _divide(self, channel, divisor, difference):
        """Return the greatest common divisor."""
        if difference and self._differences[channel] < 255:
            self._differences[channel] += 1
        while difference:
            divisor, difference = difference, divisor % difference
        return divisor

    def _conclude(self):
        """Decide what the watched channel follows; watch the next one."""
        self._note()
        scores = self._scores
        watched = self._watched
        events = self.state[_EVENTS]
        best = 0
        term: tuple = ()
        for other in range(watched):
            if other and abs(scores[2 * other]) > best:
                best = abs(scores[2 * other])
                term = ((other, 0, 0),)
        for other in range(watched):
            if abs(scores[2 * other + 1]) > best + 1:
                best = abs(scores[2 * other + 1])
                term = ((other, 1, 0),)
        if watched <= self.points and events >= _EVENTS_MIN and best * 5 >= events * 2:
            if len(self.terms[watched]) < 2:
                self.terms[watched] = term
        for i in range(len(scores)):
            scores[i] = 0
        self._watched = watched + 1 if watched < self.points else 1
        self._blocks = 0
        self._events = self.state[_EVENTS] = 0
        self.state[_WATCHED] = self._watched

    def _sum(self, channel, values):
        """Return the terms of which a channel is the sum or the difference in this row, or ()."""
        value = values[channel - 1]
        if value is None or -_SMALL_SUM <= value <= _SMALL_SUM:
            return ()
        for count in (3, 2):
            for first in range(1, channel - count + 1):
                # The sum of neighbours; or one less the last count - 1.
                parts = [(first + i, 0, 0) for i in range(count)]
                if self._is_sum(value, parts, values):
                    return tuple(parts)
                parts[1:] = [(channel - i, 0, 1) for i in range(1, count)]
                if self._is_sum(value, parts, values):
                    return tuple(parts)
        return ()

    def _is_sum(self, value, parts, values):
        for other, _, is_minus in parts:
            part = values[other - 1]
            if part is None:
                return False
            value -= -part if is_minus else part
        return abs(value) <= len(parts)


def _borrow(data, at):
    """Take back a carry that went into the bytes before at."""
    at -= 1
    while data[at] == 0:
        data[at] = 255
        at -= 1
    data[at] -= 1
