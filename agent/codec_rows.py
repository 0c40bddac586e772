"""Rows of one meter <-> decisions: nulls and qualities, jumps, points that come and go.

Not the arithmetic of one value (codec_plain.py, codec_viper.py), not a block's head (codec.py).
Written once for both directions: `_bit` returns the answer it was given when writing, and the
one it finds when reading.

    rows = Rows(points=2)
    rows.begin(data, at, end, False)
    rows.put(10_000, (2304, None), bytes((0, 1)))    # ms since the row before, values, qualities
"""

import sys
from array import array

from micropython import const

_BIAS = const(0x20000000)
_OFFSET = const(0x400000)  # of the values of a row; from 0 to twice this they are
_SMALL_BITS = const(23)
_ABSENT = const(0x1000000)
_LIMIT = const(0x3FFFFF)
_HALFWAY = const(0x1FFFFF)

# Words of the block (codec_plain.py).
_LOW = const(0)
_SPAN = const(1)
_AT = const(2)
_END = const(3)
_CODE = const(4)
_SLOT = const(5)
_ANSWER = const(6)
_BAD = const(7)
_FAR = const(8)
_MARK = const(9)
_CARRIED = const(10)
_MARK_LOW = const(11)
_MARK_SPAN = const(12)
_WORDS = const(13)
_CHANNEL = const(23)
_LEVEL = const(4)
_TREND = const(5)
_SLOW = const(6)
_MEAN = const(7)
_STEP = const(14)
_REF = const(15)
_SUM_Y = const(16)
_GUESSES = const(5)

# Slots of the block.
_PLAIN = const(0)  # 2: as the row before was
_OTHER = const(2)  # 2: as the point before was
_AGAIN = const(4)
_JUMP = const(5)  # 2: as the point before did
_MINUS = const(7)
_EVEN = const(8)
_FOLLOWS = const(9)
_WHOLE = const(10)
_LENGTH = const(15)  # 127, by the bits of the length so far; the first is 1
_SHARED = const(144)
_SLOTS = const(120)

_LEVEL_MAX = const(0xFFFFFFF)
_MEAN_FIRST = const(40)
_VALUE_BITS = const(66)
_READ = const(1)
_INNER = const(2)
_NOTE = const(4)

CELLS_MAX = const(262144)  # rows times channels of a block: bounds what a reader may need
_VALUE_MIN = -(1 << 63)
_VALUE_MAX = (1 << 64) - 1


class BadBlock(Exception):
    """The bytes are not a whole block: keep them aside, do not decode further."""


def _load_kernel():
    """Return codec_viper's code() where it can run, else codec_plain's: the same bytes."""
    try:
        from agent.codec_viper import code
    except (ImportError, AttributeError, SyntaxError, ValueError, MemoryError):
        from agent.codec_plain import code
    return code


class Kernel:
    """What every block of a gateway shares: the kernel, its table, the odds a block begins with.

    Made by the first Rows, kept in Rows.kernel; a host may put a faster `code` in.
    """

    def __init__(self):
        self.code = _load_kernel()
        from agent.codec_odds import odds, table

        self.table = table()
        self.shared, self.time, self.value = odds()
        self.work = array("I", bytes(4 * _GUESSES))
        # Read once: the module's 2 KB go.
        del sys.modules["agent.codec_odds"]
        delattr(sys.modules["agent"], "codec_odds")

    def words(self, count):
        """Return count zeroed words, as code() takes them; a host may give other arrays."""
        return array("I", bytes(4 * count))

    def slots(self, count):
        """Return count zeroed slots."""
        return array("H", bytes(2 * count))


class Rows:
    """The model of one open block, writing or reading. All its memory is allocated here.

    points  values of each row, 0 .. 255
    """

    kernel = None

    def __init__(self, points):
        if Rows.kernel is None:
            Rows.kernel = Kernel()
        kernel = Rows.kernel
        self.points = points
        self.unit_ms = 1  # of time steps; set before begin()
        self.is_odd_time = False  # a step was no whole number of units
        channels = points + 1
        self.state = kernel.words(_WORDS + channels * _CHANNEL)
        self.slots = kernel.slots(_SHARED + channels * _SLOTS)
        self.row = kernel.words(channels)
        self.refs = bytearray(channels)  # what each channel follows; 0: none
        self._bases = [0] * channels
        self._forms = bytearray(channels)  # quality, 128 added where there is a value
        self._known = bytearray(channels)
        self._quality = bytearray(points)
        self._lows: list = [
            None
        ] * points  # the value that is 0 in a row; None: the point has none now
        self.limit = 0  # index in the data that a row must not pass
        self._data = b""
        self._parts: tuple = (None,) * 6
        self._mode = 0
        self._plain = 1
        self._odd_ms = None  # the step of the row, where it was a jump

    def begin(self, data, at, end, reading):
        """Start at the index `at` of data, which may be used up to end; refs are set, or read."""
        kernel = self.kernel
        slots = self.slots
        slots[0:_SHARED] = kernel.shared
        for channel in range(self.points + 1):
            start = _SHARED + channel * _SLOTS
            slots[start : start + _SLOTS] = kernel.value if channel else kernel.time
            self._forms[channel] = 128
            self._known[channel] = 0
            self._bases[channel] = 0
        state = self.state
        for i in range(len(state)):
            state[i] = 0
        state[_SPAN] = 0xFFFFFF
        state[_AT] = at
        state[_END] = end
        self._data = data
        kernel = self.kernel
        self._parts = (state, slots, kernel.table, kernel.work, self.row, data)
        self._mode = _READ if reading else 0
        self._plain = 1
        if reading:
            for i in range(at, at + 3):
                state[_CODE] = (state[_CODE] << 8) | (data[i] if i < end else 0)
            state[_AT] = at + 3
        for channel in range(self.points + 1):
            self._settle(channel, 0)
            place = _WORDS + channel * _CHANNEL
            state[place + _MEAN] = _MEAN_FIRST
            state[place + _SUM_Y] = _BIAS
            if channel > 1:
                state[place + _REF] = self._follow(channel)
        self._known[0] = 1

    def _follow(self, channel):
        """Write or read what a channel follows: 2 * an earlier channel, 1 added for its value."""
        ref = self.refs[channel]
        if not self._bit(_FOLLOWS, 1 if ref else 0):
            return 0
        size = 1
        while channel >> size:
            size += 1
        ref = self._even(ref, size + 1)
        if not 2 <= ref < 2 * channel:
            raise BadBlock("channel %d follows %d" % (channel, ref))
        return ref

    # --- one row

    def put(self, step_ms, values, quality):
        """Write one row, step_ms after the row before; false when it ends beyond `limit`.

        Then the bytes are as before the row, and what was learnt is of no more use.
        """
        step = step_ms
        if self.unit_ms != 1:
            step = step_ms // self.unit_ms
            if step * self.unit_ms != step_ms:
                self.is_odd_time = True
                return self._put_odd(step_ms, values, quality)
        step += _OFFSET - self._bases[0]
        if step >> _SMALL_BITS or quality != self._quality:
            return self._put_odd(step_ms, values, quality)
        row = self.row
        row[0] = step
        lows = self._lows
        i = 0
        try:
            for value in values:
                small = value - lows[i]
                if small >> _SMALL_BITS:
                    return self._put_odd(step_ms, values, quality)
                i += 1
                row[i] = small
        except TypeError:  # a point without a value, now or before
            if not self._put_small(values):
                return self._put_odd(step_ms, values, quality)
        state = self.state
        state[_SLOT] = self._plain  # slot 0 or 1
        state[_ANSWER] = self._plain = 1
        if self._code(self.points + 1, _NOTE) != 1:
            self._rebase()
        return state[_AT] <= self.limit or self._take_back()

    def _put_small(self, values):
        """Fill the row where some points have no value; false when it is no plain row."""
        lows = self._lows
        row = self.row
        for i in range(self.points):
            value = values[i]
            low = lows[i]
            if value is None or low is None:
                if value is not low:
                    return False
                row[i + 1] = _ABSENT
            else:
                value -= low
                if value >> _SMALL_BITS:
                    return False
                row[i + 1] = value
        return True

    def put_first(self, values, quality):
        """Write the first row."""
        self._odd_row(0, values, quality, True)
        self._code(self.points + 1, _INNER)

    def _put_odd(self, step_ms, values, quality):
        state = self.state
        state[_SLOT] = self._plain
        state[_ANSWER] = self._plain = 0
        self._code(0, _NOTE)
        self._odd_row(step_ms, values, quality, False)
        if self._code(self.points + 1, _INNER) & 2:
            self._rebase()
        return state[_AT] <= self.limit or self._take_back()

    def _take_back(self):
        """Put the coder back to where it stood before the row."""
        state = self.state
        at = state[_MARK]
        if state[_CARRIED]:
            _borrow(self._data, at)
        state[_AT] = at
        state[_LOW] = state[_MARK_LOW]
        state[_SPAN] = state[_MARK_SPAN]
        return False

    def _last(self, channel):
        return self._bases[channel] + self.state[_WORDS + channel * _CHANNEL] - _BIAS

    def _code(self, count, mode):
        state, slots, table, work, row, data = self._parts
        mode |= self._mode
        return self.kernel.code(state, slots, table, work, row, data, count, mode)

    # --- what is not plain: the first row, other qualities, points that come and go, jumps

    def _odd_row(self, step_ms, values, quality, is_first):
        forms = self._forms
        row = self.row
        row[0] = _ABSENT
        jumped = 0
        if not is_first:
            jumped = self._place_time(step_ms)
        other = 0
        named = 128
        value = None
        for channel in range(1, self.points + 1):
            form = forms[channel]
            if values is not None:
                value = values[channel - 1]
                form = quality[channel - 1] | (0 if value is None else 128)
            other = self._bit(_OTHER + other, 1 if form != forms[channel] else 0)
            if other:
                if self._bit(_AGAIN, 1 if form == named else 0):
                    form = named
                else:
                    form = self._even(form, 8)
                    named = form
                forms[channel] = form
            if forms[channel] & 128:
                jumped = self._place(channel, value, jumped)
            else:
                row[channel] = _ABSENT
            self._quality[channel - 1] = forms[channel] & 127
        self._note_lows()

    def _note_lows(self):
        for i in range(self.points):
            has = self._forms[i + 1] & 128
            self._lows[i] = self._bases[i + 1] - _OFFSET if has else None

    def _place_time(self, step_ms):
        """Leave a step of time to the kernel, or write its ms; return 1 for that."""
        step = step_ms // self.unit_ms
        small = step + _OFFSET - self._bases[0]
        is_far = step * self.unit_ms != step_ms or small >> _SMALL_BITS != 0
        if not self._bit(_JUMP, 1 if is_far else 0):
            self.row[0] = 0 if self._mode else small
            return 0
        self._odd_ms = self._number(step_ms)
        self._settle(0, self._odd_ms // self.unit_ms)
        return 1

    def _place(self, channel, value, jumped):
        """Leave a value to the kernel, or write it as a jump; return 1 for a jump."""
        last = 0
        if self._known[channel]:
            last = self._last(channel)
            small = 0
            if value is not None:
                small = value - self._bases[channel]
            is_far = 1 if (small + _OFFSET) >> _SMALL_BITS else 0
            if not self._bit(_JUMP + jumped, is_far):
                self.row[channel] = small + _OFFSET
                return 0
            # From the last value, or where that is no longer, from 0.
            step = 0 if value is None else value - last
            is_whole = 0 if value is None or abs(value) >> 2 > abs(step) else 1
            if self._bit(_WHOLE, is_whole):
                last = 0
        value = last + self._number(0 if value is None else value - last)
        if not _VALUE_MIN <= value <= _VALUE_MAX:
            raise BadBlock("a value beyond 64 bits")
        self._known[channel] = 1
        self._settle(channel, value)
        self.row[channel] = _ABSENT
        return 1

    def _settle(self, channel, value):
        """Let a channel stand still at value."""
        base = 0 if -_HALFWAY <= value <= _HALFWAY else value
        self._bases[channel] = base
        state = self.state
        at = _WORDS + channel * _CHANNEL
        value = value - base
        for i in range(4):
            state[at + i] = value + _BIAS
        state[at + _LEVEL] = state[at + _SLOW] = (value << 6) + _BIAS
        state[at + _TREND] = state[at + _STEP] = _BIAS

    def _rebase(self):
        """Bring back to 0 the channels that went far from their base."""
        state = self.state
        state[_FAR] = 0
        for channel in range(self.points + 1):
            at = _WORDS + channel * _CHANNEL
            shift = state[at] - _BIAS
            if -_HALFWAY <= shift <= _HALFWAY:
                continue
            self._bases[channel] += shift
            for i in range(4):
                small = state[at + i] - _BIAS - shift
                state[at + i] = max(-_LIMIT, min(_LIMIT, small)) + _BIAS
            for i in (_LEVEL, _SLOW):
                small = state[at + i] - _BIAS - (shift << 6)
                state[at + i] = max(-_LEVEL_MAX, min(_LEVEL_MAX, small)) + _BIAS
        self._note_lows()

    # --- single decisions

    def _bit(self, slot, answer):
        self.state[_SLOT] = slot
        self.state[_ANSWER] = answer
        return self._code(0, 0) & 1

    def _even(self, value, size):
        """Write or read size bits of even odds, high bits first."""
        found = 0
        while size:
            size -= 1
            self.slots[_EVEN] = 32768  # even odds
            found = (found << 1) | self._bit(_EVEN, (value >> size) & 1)
        return found

    def _number(self, value):
        """Write or read a number of any size: sign, length in bits, the bits after the first."""
        is_minus = 1 if value < 0 else 0
        value = abs(value)
        size = 0
        while value >> size:
            size += 1
        node = 1
        for i in range(6, -1, -1):
            node = (node << 1) | self._bit(_LENGTH + node, (size >> i) & 1)
        size = node & 127
        if size == 0:
            return 0
        if size > _VALUE_BITS:
            raise BadBlock("a number of %d bits" % size)
        is_minus = self._bit(_MINUS, is_minus)
        value = (1 << (size - 1)) | self._even(value, size - 1)
        return -value if is_minus else value


def _borrow(data, at):
    """Take back a carry that went into the bytes before at."""
    at -= 1
    while data[at] == 0:
        data[at] = 255
        at -= 1
    data[at] -= 1
