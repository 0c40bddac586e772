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
_WORDS = const(12)
_CHANNEL = const(25)
_LEVEL = const(4)
_TREND = const(5)
_SLOW = const(6)
_MEAN = const(7)
_STEP = const(14)
_REF = const(15)
_SUM_Y = const(16)
_PREDICTORS = const(7)

# Slots of the block.
_PLAIN = const(0)  # 2: as the row before was
_OTHER = const(2)  # 2: as the point before was
_AGAIN = const(4)
_JUMP = const(5)  # 2: as the point before did
_MINUS = const(7)
_EVEN = const(8)
_FOLLOWS = const(9)
_LENGTH = const(15)  # 127, by the bits of the length so far; the first is 1
_SHARED = const(144)
_SLOTS = const(120)

_LEVEL_MAX = const(0xFFFFFFF)
_MEAN_FIRST = const(40)
_VALUE_BITS = const(66)
_READ = const(1)
_INNER = const(2)

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
        self.work = array("I", bytes(4 * _PREDICTORS))
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
        channels = points + 1
        self.state = kernel.words(_WORDS + channels * _CHANNEL)
        self.slots = kernel.slots(_SHARED + channels * _SLOTS)
        self.row = kernel.words(channels)
        self.refs = bytearray(channels)  # what each channel follows; 0: none
        self._bases = [0] * channels
        self._forms = bytearray(channels)  # quality, 128 added where there is a value
        self._known = bytearray(channels)
        self._data = b""
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

    def put(self, step_ms, values, quality, is_first=False):
        """Write one row; true when step, ms since the row before, is no whole number of units."""
        row = self.row
        bases = self._bases
        forms = self._forms
        step = step_ms // self.unit_ms
        is_odd = step * self.unit_ms != step_ms
        is_plain = not is_first and not is_odd and -_LIMIT <= step <= _LIMIT
        if is_plain:
            row[0] = step + _BIAS
            i = 0
            for value in values:
                form = quality[i]
                i += 1
                if value is None:
                    row[i] = 0
                else:
                    form |= 128
                    small = value - bases[i]
                    if not (-_LIMIT <= small <= _LIMIT and self._known[i]):
                        is_plain = False
                        break
                    row[i] = small + _BIAS
                if form != forms[i]:
                    is_plain = False
                    break
        state = self.state
        if not is_first:
            state[_SLOT] = _PLAIN + self._plain
            state[_ANSWER] = 1 if is_plain else 0
            self._plain = self._code(0 if not is_plain else self.points + 1, 0)
        if not is_plain:
            self._odd_row(step_ms, values, quality, is_first)
            self._code(self.points + 1, _INNER)
        if state[_FAR]:
            self._rebase()
        return is_odd

    def _last(self, channel):
        return self._bases[channel] + self.state[_WORDS + channel * _CHANNEL] - _BIAS

    def _code(self, count, mode):
        kernel = self.kernel
        return kernel.code(
            self.state,
            self.slots,
            kernel.table,
            kernel.work,
            self.row,
            self._data,
            count,
            mode | self._mode,
        )

    # --- what is not plain: the first row, other qualities, points that come and go, jumps

    def _odd_row(self, step_ms, values, quality, is_first):
        forms = self._forms
        row = self.row
        row[0] = 0
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
                row[channel] = 0

    def _place_time(self, step_ms):
        """Leave a step of time to the kernel, or write its ms; return 1 for that."""
        step = step_ms // self.unit_ms
        is_far = step * self.unit_ms != step_ms or not -_LIMIT <= step <= _LIMIT
        if not self._bit(_JUMP, 1 if is_far else 0):
            self.row[0] = step + _BIAS
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
            is_far = 0 if -_LIMIT <= small <= _LIMIT else 1
            if not self._bit(_JUMP + jumped, is_far):
                self.row[channel] = small + _BIAS
                return 0
        value = last + self._number(0 if value is None else value - last)
        if not _VALUE_MIN <= value <= _VALUE_MAX:
            raise BadBlock("a value beyond 64 bits")
        self._known[channel] = 1
        self._settle(channel, value)
        self.row[channel] = 0
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

    # --- single decisions

    def _bit(self, slot, answer):
        self.state[_SLOT] = slot
        self.state[_ANSWER] = answer
        return self._code(0, 0)

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
