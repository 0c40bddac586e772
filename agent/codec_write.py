"""Readings -> the rows of a block: the writer's half of codec_rows.py, and what it may choose.

Not what it notices for the next block (codec_habits.py). When values are wide, and when they are
told as they are, is decided here; none of that is part of the format: a reader is told.
"""

from micropython import const

from agent.codec_habits import Habits
from agent.codec_kernel import bit_length
from agent.codec_rows import AS_THEY_ARE, CELLS_MAX

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
_EVENTS = const(14)
_LEFT = const(15)
_ROOM = const(16)
_AS_THEY_ARE = const(18)
_ALLOWED = const(19)
_WIDTHS = const(20)
_WORDS = const(22)
_CHANNEL = const(33)
_MEAN = const(7)
_GRID = const(28)
_BITS = const(29)
_FLOOR = const(30)
_LEAST = const(31)
_MOST = const(32)
_NOTE = const(4)
ROW = const(36)  # the mode for a row that the kernel does alone

# What the kernel answers.
_FAR_OFF = const(2)
_WATCH_OVER = const(4)
_FULL = const(8)
ODD = const(16)
_LOOK_NOW = const(32)

# Slots of `plain`.
_ODD_BEFORE = const(0)
_PLAIN_BEFORE = const(1)

_COUNT_MAX = const(0xFFFF)  # rows of a block

_STEADY_ROWS = const(12)
_JUMPS_MIN = const(1)  # before a channel is wide
_NARROW = const(17)  # bits that are modelled of it
_LOSS_BITS = const(40)  # more than values as they are would be, to tell them so
_ROWS_MIN = const(32)
_CHANGES_MAX = const(8)  # of a block
_TO_EVEN = const(1)
_TO_MODEL = const(2)
_HAS_MOVED = const(1)  # a channel: its least value is no longer known


class Writer(Habits):
    """Rows, in the direction from values to bytes.

    is_odd_time  a step was no whole number of units
    step_ms      a row so long after the one before, of its qualities, is for the kernel
                 alone: found = code(*fast[:8], ROW, values, fast[8]); None: no row is
    """

    is_odd_time = False
    _mode = 0  # found here it is found soonest
    version = 4

    def __init__(self, points):
        super().__init__(points)
        self.step_ms = None
        self.fast: tuple = ()
        # The bits of a value in a row; then the value that is 0 there; None: the point has none
        # now, or is wide.
        self._lows: list = [_SMALL_BITS] + [None] * points
        self._is_changing = False
        self._small = 0  # the value that may jump, from its base
        self._given = 0  # bits that no row is blamed for
        self._is_vain = False

    def begin(self, data, at, end, room, values, quality):
        """Start a block with its first row.

        data  from the index `at` it may be used up to end; no later row may pass room
        """
        events = self._conclude_block(values)
        self._is_changing = False
        for i in range(self.points + 1):
            self._jumps[i] = self._steady[i] = self._changed[i] = self._changes[i] = 0
            self._moved[i] = 0
        self._begin(data, at, end, self._watched)
        state = self.state
        state[_EVENTS] = events
        state[_LEFT] = self._rows_max = min(_COUNT_MAX, CELLS_MAX // (self.points + 1)) - 1
        state[_ROOM] = room
        self.fast = self._parts + (self.points + 1, self._lows)
        self.step_ms = None
        state[_WORDS + _LEAST] = _BIAS + _OFFSET  # no step of time was seen
        state[_WORDS + _MOST] = _BIAS - _OFFSET
        self._odd_row(0, values, quality, True)
        state[_SLOT] = _PLAIN_BEFORE
        self._note_lows()
        self._given = _LOSS_BITS + (state[_AT] << 3)
        state[_ALLOWED] = self._given
        self._is_vain = False

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
            state[_ALLOWED] += state[_WIDTHS]
            if state[_AT] << 3 > state[_ALLOWED]:
                found |= _LOOK_NOW
            if state[_AT] > state[_ROOM]:
                found |= _FULL
        if found & _FULL:
            self._take_back()
            self._doubt(step_ms, values)
            self.step_ms = None
            state[_LEFT] = 0
            return False
        if found & (_FAR_OFF | _WATCH_OVER | _LOOK_NOW):
            self._attend(found)
        return True

    def _put_slowly(self, step_ms, values, quality):
        """Write a row; let the kernel take the next of its kind alone."""
        step = step_ms // self.unit_ms
        if step * self.unit_ms != step_ms:
            self.is_odd_time = True
            return self._put_odd(step_ms, values, quality)
        step += _OFFSET - self._bases[0]
        if step >> _SMALL_BITS or quality != self.quality or not self._put_small(values):
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
        is_told = self._is_changing or self.state[_AS_THEY_ARE]
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
            if value >> _SMALL_BITS or (is_told and self._leaves(channel, value)):
                return False
            row[channel] = value
        return True

    def _put_odd(self, step_ms, values, quality):
        state = self.state
        before = state[_AT]
        state[_ANSWER] = 0
        self._code(0, _NOTE)
        found = self._odd_row(step_ms, values, quality, False)
        more = state[_AT] - before << 3
        self._given += more
        state[_ALLOWED] += more
        self._is_changing = any(self._changed)
        state[_SLOT] = _ODD_BEFORE
        self._note_lows()
        return found

    def _attend(self, found):
        """Do what the kernel asked for after a row."""
        if found & _FAR_OFF:
            for channel in range(self.points + 1):
                self._moved[channel] |= _HAS_MOVED
            self._rebase()
            self._note_lows()
            self.step_ms = None
        if found & _WATCH_OVER:
            self._conclude()
        if found & _LOOK_NOW:
            self._look()
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
            _borrow(self._parts[6], at)
        state[_AT] = at
        state[_LOW] = state[_MARK_LOW]
        state[_SPAN] = state[_MARK_SPAN]

    # --- a channel whose values are told as they are

    def _look(self):
        """See whether the rows cost more than packed; if so, tell values as they are."""
        state = self.state
        widths = 0
        for channel in range(self.points + 1):
            at = _WORDS + channel * _CHANNEL
            bits = state[at + _BITS]
            if bits:
                if not state[at + _MEAN] >> bits:  # they have calmed down
                    self._changed[channel] = _TO_MODEL
                    self._is_changing = True
                    self.step_ms = None
            elif self._forms[channel] & 128:
                bits = bit_length(max(0, state[at + _MOST] - state[at + _LEAST]))
            widths += bits + self._wide[channel]
        rows = self._rows_max - state[_LEFT]
        spent = state[_AT] << 3
        if rows < _ROWS_MIN:  # too early to tell: look again about then
            state[_ALLOWED] = spent + (spent - self._given) // rows * (_ROWS_MIN - rows)
            return
        state[_WIDTHS] = widths
        state[_ALLOWED] = self._given + widths * rows
        if spent <= state[_ALLOWED]:
            return
        is_vain = True
        for channel in range(1, self.points + 1):
            at = _WORDS + channel * _CHANNEL
            bits = bit_length(state[at + _MOST] - state[at + _LEAST])
            # Even values are an eighth of their range off, at least.
            is_even = (state[at + _MEAN] + 8) * state[at + _GRID] * 6 >> bits + 4
            if bits and not state[at + _BITS] and (is_even or self._is_vain):
                self._changed[channel] = _TO_EVEN
                self._is_changing = True
                self.step_ms = None
                is_vain = False
        self._is_vain = is_vain
        self._given += _LOSS_BITS >> 1

    def _leaves(self, channel, small):
        """Return whether a value is none of those that are told as they are, or they no longer."""
        state = self.state
        at = _WORDS + channel * _CHANNEL
        bits = state[at + _BITS]
        is_out = bits and (small - _OFFSET - state[at + _FLOOR] + _BIAS) >> bits
        return is_out or self._changed[channel]

    def _window(self, channel):
        # All that was seen shall fit; where there is room beyond, a multiple of a power of two
        # is the likelier edge: what a register or a converter gives begins there.
        state = self.state
        at = _WORDS + channel * _CHANNEL
        base = self._bases[channel]
        least = min(self._small, state[at + _LEAST] - _BIAS)
        most = max(self._small, state[at + _MOST] - _BIAS)
        bits = bit_length(most - least) or 1
        for more in (0, 1 << bits - 1):
            floor = ((least + base + more) >> bits << bits) - more - base
            if (most - floor) >> bits == 0:
                return bits, floor
        return bits, least - ((1 << bits) - 1 - most + least >> 1)

    # --- a jump, and a wide channel

    def _is_jump(self, channel, small):
        self._small = small - _OFFSET
        is_far = small >> _SMALL_BITS or self._steady[channel] > _STEADY_ROWS
        if is_far:
            self._moved[channel] |= _HAS_MOVED
        is_told = self._is_changing or self.state[_AS_THEY_ARE]
        return is_far or (is_told and self._leaves(channel, small))

    def _width(self, channel, value):
        if not self._known[channel]:
            return 0
        state = self.state
        is_over = self._steady[channel] > _STEADY_ROWS
        if not (is_over or self._small >> _SMALL_BITS - 1 not in (0, -1)):
            # It need not jump: its values begin or cease to be told as they are.
            is_to_be = state[_WORDS + channel * _CHANNEL + _BITS]
            is_to_be = self._changed[channel] == _TO_EVEN or (
                is_to_be and not self._changed[channel]
            )
            self._changed[channel] = 0
            if is_to_be and self._changes[channel] < _CHANGES_MAX:
                self._changes[channel] += 1
                return AS_THEY_ARE
            return self._wide[channel]
        self._changed[channel] = 0
        if is_over:
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


def _borrow(data, at):
    """Take back a carry that went into the bytes before at."""
    at -= 1
    while data[at] == 0:
        data[at] = 255
        at -= 1
    data[at] -= 1
