"""Rows of one meter <-> decisions: nulls and qualities, jumps, points that come and go.

Not the arithmetic of one value (codec_plain.py, codec_viper.py), not a block's head (codec.py),
nor what a writer chooses (codec_write.py). Written once for both directions: `_bit`
returns the answer it was given when writing, and the one it finds when reading.

    rows = Writer(points=2)
    rows.begin(data, at, end, (2304, None), bytes((0, 1)))
    rows.put(10_000, (2305, None), bytes((0, 1)))    # ms since the row before, values, qualities
"""

from micropython import const

from agent.codec_kernel import BadBlock, Kernel, bit_length, sections

_BIAS = const(0x20000000)
_OFFSET = const(0x400000)  # of the values of a row; from 0 to twice this they are
_SMALL_BITS = const(23)
_ABSENT = const(0x1000000)
_LIMIT = const(0x3FFFFF)
_HALFWAY = const(0x1FFFFF)

# Words of the block (codec_plain.py).
_SPAN = const(1)
_AT = const(2)
_END = const(3)
_CODE = const(4)
_SLOT = const(5)
_ANSWER = const(6)
_WATCHED = const(13)
_PAIRED = const(17)
_AS_THEY_ARE = const(18)
_ROUND = const(21)
_WORDS = const(22)
_CHANNEL = const(33)
_LEVEL = const(4)
_TREND = const(5)
_SLOW = const(6)
_MEAN = const(7)
_STEP = const(14)
_TERM = const(16)
_GRID = const(28)
_BITS = const(29)
_FLOOR = const(30)
_LEAST = const(31)
_MOST = const(32)
_MINUS_TERM = const(0x10000)

# Slots of the block.
_OTHER = const(2)  # 2: as the point before had
_AGAIN = const(4)
_JUMP = const(5)  # 2: as the point before did
_MINUS = const(7)
_GRIDDED = const(8)
_FOLLOWS = const(9)
_WHOLE = const(10)
_WIDE = const(11)
_ANOTHER = const(12)
_AS_THEY_COME = const(143)
_LENGTH = const(15)  # 127, by the bits of the length so far; the first is 1
_SHARED = const(144)
_SLOTS = const(184)

_LEVEL_MAX = const(0xFFFFFFF)
_VALUE_BITS = const(66)
_LENGTH_BITS = const(7)
_GRID_BITS = const(20)
_TERMS = const(3)
TERM_BITS = const(10)
AS_THEY_ARE = const(64)  # in place of a width: values that are no longer modelled
_INNER = const(2)
_EVEN = const(8)
_TREE = const(16)

CELLS_MAX = const(262144)  # rows times channels of a block: bounds what a reader may need
_VALUE_MIN = -(1 << 63)
_VALUE_MAX = (1 << 64) - 1


class Rows:
    """The model of one open block: what writing and reading share. All its memory is made here.

    points  values of each row, 0 .. 255
    like    other Rows of as many points, whose arrays to use and not its own
    """

    kernel = None
    unit_ms = 1  # of time steps; set before begin()
    version = 4  # of the format; likewise
    _mode = 0
    _table: object = None  # of chances; None: the kernel's

    def __init__(self, points, like=None):
        if self.kernel is None:
            Rows.kernel = Kernel()
        kernel = self.kernel
        self.points = points
        channels = points + 1
        if like:
            self.state, self.slots, self.row = like.state, like.slots, like.row
        else:
            self.state = kernel.words(_WORDS + channels * _CHANNEL)
            self.slots = kernel.slots(_SHARED + channels * _SLOTS)
            self.row = kernel.words(channels)
        self._bases = [0] * channels
        self._make_marks(channels)
        self._tails = [0] * channels  # those of the last value
        self._is_wide = False
        self.quality = bytearray(points)  # of the row before
        self._parts: tuple = (None,) * 7
        self._odd_ms = None  # the step of the row, where it was a jump

    def _make_marks(self, channels):
        """Make the bytes that are kept of each channel."""
        # The form: quality, 128 added where there is a value; whether a value came; how many low
        # bits are told as they are.
        self._forms, self._known, self._wide = sections(3, channels)

    def _begin(self, data, at, end, watched):
        """Start at the index `at` of data, which may be used up to end."""
        kernel = self.kernel
        slots = self.slots
        slots[0:_SHARED] = kernel.shared
        for channel in range(self.points + 1):
            start = _SHARED + channel * _SLOTS
            slots[start : start + _SLOTS] = kernel.value if channel else kernel.time
            self._forms[channel] = 128
            self._bases[channel] = self._known[channel] = self._wide[channel] = 0
        state = self.state
        for i in range(_WORDS):
            state[i] = 0
        state[_SPAN] = 0xFFFFFF
        state[_AT] = at
        state[_END] = end
        state[_WATCHED] = watched
        if self.version > 3:
            state[_PAIRED] = 2
            state[_ROUND] = 8191
        table = self._table or kernel.table
        self._parts = (kernel.code, state, slots, table, kernel.work, self.row, data)
        self._is_wide = False
        if self._mode:
            for i in range(at, at + 3):
                state[_CODE] = (state[_CODE] << 8) | (data[i] if i < end else 0)
            state[_CODE] = min(state[_CODE], 0xFFFFFE)
            state[_AT] = at + 3
        for channel in range(self.points + 1):
            place = _WORDS + channel * _CHANNEL
            state[place : place + _CHANNEL] = kernel.blank
            self._habits(channel, place)
        self._known[0] = 1

    def _habits(self, channel, place):
        """Write or read what is known of a channel beforehand: what it follows, and its grid."""
        state = self.state
        terms = self._terms(channel)
        place += _TERM
        size = bit_length(channel)
        count = 0
        goes_on = channel and self._bit(_FOLLOWS, 1 if terms else 0)
        while goes_on:
            # The other channel; 1 where its value counts, not its step; 1 to take it away.
            other = self._even((terms >> 2 & 255) - 1, size)
            if other >= channel:
                raise BadBlock("channel %d follows %d" % (channel, other))
            term = _WORDS + other * _CHANNEL + (0 if self._even(terms >> 1 & 1, 1) else _STEP)
            if count and self._even(terms & 1, 1):
                term += _MINUS_TERM
            state[place + count] = term
            count += 1
            terms >>= TERM_BITS
            goes_on = count < _TERMS and self._bit(_ANOTHER, 1 if terms else 0)
        if not channel:
            return
        grid = self._grid(channel)
        if self._bit(_GRIDDED, 1 if grid > 1 else 0):
            size = self._even(bit_length(grid >> 1), 5)
            if size > _GRID_BITS:
                raise BadBlock("a grid of %d bits" % size)
            state[place - _TERM + _GRID] = (1 << size) + self._even(grid & ((1 << size) - 1), size)

    def _terms(self, channel):
        """Return what a channel follows, up to three terms of TERM_BITS bits, the first lowest.

        A term: the other channel + 1, 1 bit where its value counts, 1 bit to take it away.
        """
        return 0

    def _grid(self, channel):
        """Return what a channel's steps are multiples of; 0 or 1: of nothing known."""
        return 0

    def _last(self, channel):
        value = self._bases[channel] + self.state[_WORDS + channel * _CHANNEL] - _BIAS
        wide = self._wide[channel]
        return (value << wide) + self._tails[channel] if wide else value

    def _code(self, count, mode):
        code, state, slots, table, work, row, data = self._parts
        mode |= self._mode
        return code(state, slots, table, work, row, data, count, mode, None, None)

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
                if (form ^ forms[channel]) & 128:
                    self._turns(channel)
                forms[channel] = form
            row[channel] = _ABSENT
            if forms[channel] & 128:
                jumped = self._place(channel, value, jumped)
            self.quality[channel - 1] = forms[channel] & 127
        self.state[_ANSWER] = 0
        found = self._code(self.points + 1, _INNER)
        if self._is_wide:
            self._put_tails(values)
        return found

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
        known = self._known[channel]
        if known:
            last = self._last(channel)
            small = _OFFSET
            if value is not None:
                small = (value >> self._wide[channel]) - self._bases[channel] + _OFFSET
            is_far = self._is_jump(channel, small)
            if not self._bit(_JUMP + jumped, 1 if is_far else 0):
                self.row[channel] = small
                return 0
            if self.version < 4:
                last = self._start(value, last)
        wide = 0 if value is None else self._width(channel, value)
        if self._bit(_WIDE, 1 if wide else 0):
            if known and self.version > 3 and self._bit(_AS_THEY_COME, wide >> 6):
                self._tell_as_they_are(channel)
                self.row[channel] = small
                return 1
            wide = self._even(wide, 6)
        if known and self.version > 3:
            last = self._start(value, last)
        value = last + self._number(0 if value is None else value - last)
        if not _VALUE_MIN <= value <= _VALUE_MAX:
            raise BadBlock("a value beyond 64 bits")
        self._known[channel] = 1
        self._wide[channel] = wide
        if wide:
            self._is_wide = True
            self._tails[channel] = value & ((1 << wide) - 1)
        self._settle(channel, value >> wide)
        return 1

    def _start(self, value, last):
        """Return what a jump adds to: the last value, or 0 where that is no longer."""
        is_whole = 0 if value is None or abs(value) >> 2 > abs(value - last) else 1
        return 0 if self._bit(_WHOLE, is_whole) else last

    def _turns(self, channel):
        """Take note that a point begins or ceases to have a value in this row."""

    def _is_jump(self, channel, small):
        """Return whether a channel jumps: the writer's choice."""
        return False

    def _width(self, channel, value):
        """Return how many low bits shall be told as they are from this jump on; or AS_THEY_ARE."""
        return 0

    def _window(self, channel):
        """Return (bits, least) of a channel's values where they are told as they are."""
        return 0, 0

    def _tell_as_they_are(self, channel):
        """Let a channel's values be so many bits above the least, this row's already."""
        bits, least = self._window(channel)
        bits = self._even(bits, 5)
        if not 1 <= bits <= _SMALL_BITS:
            raise BadBlock("values as they are, of %d bits" % bits)
        state = self.state
        at = _WORDS + channel * _CHANNEL
        if not state[at + _BITS]:
            state[_AS_THEY_ARE] += 1
        state[at + _BITS] = bits
        state[at + _FLOOR] = state[at] - self._even(state[at] - _BIAS - least, bits)
        state[at + _MEAN] = 4 << bits  # a quarter of the range

    def _put_tails(self, values):
        """Write or read the low bits of the row's wide values."""
        for channel in range(1, self.points + 1):
            wide = self._wide[channel]
            if wide and self.row[channel] != _ABSENT:
                tail = 0 if values is None else values[channel - 1] & ((1 << wide) - 1)
                self._tails[channel] = self._even(tail, wide)

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
        state[at + _LEAST] = state[at + _MOST] = value + _BIAS
        if state[at + _BITS]:
            state[at + _BITS] = 0
            state[_AS_THEY_ARE] -= 1

    def _rebase(self):
        """Bring back to 0 the channels that went far from their base."""
        state = self.state
        for channel in range(self.points + 1):
            at = _WORDS + channel * _CHANNEL
            shift = state[at] - _BIAS
            if -_HALFWAY <= shift <= _HALFWAY:
                continue
            self._bases[channel] += shift
            if state[at + _BITS]:
                state[at + _FLOOR] -= shift
            for i in (0, 1, 2, 3, _LEAST, _MOST):
                small = state[at + i] - _BIAS - shift
                state[at + i] = max(-_LIMIT, min(_LIMIT, small)) + _BIAS
            for i in (_LEVEL, _SLOW):
                small = state[at + i] - _BIAS - (shift << 6)
                state[at + i] = max(-_LEVEL_MAX, min(_LEVEL_MAX, small)) + _BIAS

    # --- single decisions

    def _bit(self, slot, answer):
        code, state, slots, table, work, row, data = self._parts
        state[_SLOT] = slot
        state[_ANSWER] = answer
        code(state, slots, table, work, row, data, 0, self._mode, None, None)
        return state[_ANSWER]

    def _even(self, value, size):
        """Write or read size bits of even odds, high bits first."""
        state = self.state
        found = 0
        while size:
            part = size if size < 24 else 24
            size -= part
            state[_ANSWER] = (value >> size) & ((1 << part) - 1)
            self._code(part, _EVEN)
            found = (found << part) | state[_ANSWER]
        return found

    def _number(self, value):
        """Write or read a number of any size: sign, length in bits, the bits after the first."""
        is_minus = 1 if value < 0 else 0
        value = abs(value)
        state = self.state
        state[_SLOT] = _LENGTH
        state[_ANSWER] = bit_length(value)
        self._code(_LENGTH_BITS, _TREE)
        size = state[_ANSWER] & 127
        if size == 0:
            return 0
        if size > _VALUE_BITS:
            raise BadBlock("a number of %d bits" % size)
        is_minus = self._bit(_MINUS, is_minus)
        value = (1 << (size - 1)) | self._even(value, size - 1)
        return -value if is_minus else value
