"""What a meter's channels were seen to do in one block: told at the head of the next.

What a channel follows and the grid that its values lie on are guessed here: not part of the
format, a reader is told. And whether packed bits would take less than the block has taken. Not the
rows (codec_rows.py), nor how they are written (codec_write.py, codec_packed.py).
"""

from array import array

from micropython import const

from agent.codec_kernel import bit_length, sections
from agent.codec_rows import TERM_BITS, Rows

_BIAS = const(0x20000000)
_WATCHED = const(13)
_EVENTS = const(14)
_WORDS = const(22)
_CHANNEL = const(33)
_C2 = const(2)
_C3 = const(3)
_MISS = const(21)
_LEFT = const(15)
_LEAST = const(31)
_MOST = const(32)
_SCORE = const(26)
_EVENTS_MIN = const(8)  # of a channel, to say what it follows
_GRID_SEEN = const(8)  # differences, to believe in a grid
_GRID_MAX = const(0x100000)
_OWN_GUESSES = const(4)  # that need no other channel
_SMALL_SUM = const(20)

# Of each channel: how the watched one turned with its step and, behind that, with its value; the
# divisor of its differences; what it follows; its grid; rows with a value, less those before it
# appeared.
_DIVISOR = const(2)
_FOLLOWED = const(3)
_MULTIPLE = const(4)
_GIVEN = const(5)
_NOTICED = const(6)
_ITS_VALUE = const(2)  # of a term
_AWAY = const(1)

_HAS_MOVED = const(1)  # a channel: its least value is no longer known
_AT_EDGE = const(2)  # nor the range of its values
_DEAR = const(4)  # bytes more than packed, and a 64th, before a block is told so


class Habits(Rows):
    """The rows of a writer, and what it noticed."""

    def __init__(self, points):
        super().__init__(points)
        self._watched = 1  # the channel whose turns are compared with those of others
        self._blocks = 0  # that it was
        self._turn = 0  # of the channel that is looked at as a sum
        self._noticed = array("i", bytes(4 * _NOTICED * (points + 1)))
        self._rows_max = 0

    def _make_marks(self, channels):
        # Beside those of all rows: how many differences were seen; of this block: _HAS_MOVED and
        # _AT_EDGE; then what codec_write.py keeps of it: jumps; rows since a wide channel moved
        # widely; _TO_EVEN or _TO_MODEL from the next row on; how often either.
        (
            self._forms,
            self._known,
            self._wide,
            self._differences,
            self._moved,
            self._jumps,
            self._steady,
            self._changed,
            self._changes,
        ) = sections(9, channels)

    def _terms(self, channel):
        return self._noticed[channel * _NOTICED + _FOLLOWED]

    def _grid(self, channel):
        return self._noticed[channel * _NOTICED + _MULTIPLE]

    def _conclude_block(self, values):
        """Learn from the block that ends; return the events that the watched channel has had."""
        state = self.state
        noticed = self._noticed
        for channel in range(1, self.points + 1):
            at = _WORDS + channel * _CHANNEL
            place = channel * _NOTICED + _FOLLOWED
            if noticed[place]:
                misses = min(state[at + _MISS + i] for i in range(_OWN_GUESSES))
                if state[at + _MISS + _OWN_GUESSES] * 10 >= misses * 16:
                    noticed[place] = 0
            noticed[channel * _NOTICED + _GIVEN] = 0
            if self._turn in (0, channel):
                noticed[place] = self._sum(channel, values) or noticed[place]
        self._turn = self._turn % self.points + 1 if self.points else 0
        self._blocks += 1
        if self._blocks > 2 or state[_EVENTS] < _EVENTS_MIN:
            self._conclude()
        else:
            self._note()
        return state[_EVENTS]

    def _note(self):
        """Add up what the kernel counted; see which number divides all differences."""
        state = self.state
        noticed = self._noticed
        for channel in range(self.points + 1):
            at = _WORDS + channel * _CHANNEL
            place = channel * _NOTICED
            for i in range(2):
                if state[at + _SCORE + i]:
                    noticed[place + i] += state[at + _SCORE + i] - _BIAS
                    state[at + _SCORE + i] = _BIAS
            divisor = noticed[place + _DIVISOR]
            if channel and divisor != 1 and not self._wide[channel]:
                for i in (_C2, _C3):
                    divisor = self._divide(channel, divisor, abs(state[at] - state[at + i]))
                noticed[place + _DIVISOR] = divisor
                is_grid = 1 < divisor < _GRID_MAX and self._differences[channel] >= _GRID_SEEN
                noticed[place + _MULTIPLE] = divisor if is_grid else 1

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
        noticed = self._noticed
        watched = self._watched
        events = self.state[_EVENTS]
        best = term = 0
        for other in range(1, watched):
            score = abs(noticed[other * _NOTICED])
            if score > best:
                best = score
                term = _term(other)
        for other in range(watched):
            score = abs(noticed[other * _NOTICED + 1])
            if score > best + 1:
                best = score
                term = _term(other) | _ITS_VALUE
        if watched <= self.points and events >= _EVENTS_MIN and best * 5 >= events * 2:
            place = watched * _NOTICED + _FOLLOWED
            if not noticed[place] >> TERM_BITS:  # it is no sum
                noticed[place] = term
        for i in range(0, len(noticed), _NOTICED):
            noticed[i] = noticed[i + 1] = 0
        self._watched = watched + 1 if watched < self.points else 1
        self._blocks = 0
        self.state[_EVENTS] = 0
        self.state[_WATCHED] = self._watched

    def _sum(self, channel, values):
        """Return the terms of which a channel is the sum or the difference in this row, or 0."""
        value = values[channel - 1]
        if value is None or -_SMALL_SUM <= value <= _SMALL_SUM:
            return 0
        for count in (3, 2):
            for first in range(1, channel - count + 1):
                # The sum of neighbours; or one less the last count - 1.
                total = less = 0
                for i in range(count - 1, 0, -1):
                    total = (total | _term(first + i)) << TERM_BITS
                    less = (less | _term(channel - i) | _AWAY) << TERM_BITS
                for terms in (total | _term(first), less | _term(first)):
                    if self._is_sum(value, terms, values):
                        return terms
        return 0

    def _is_sum(self, value, terms, values):
        count = 0
        while terms:
            part = values[(terms >> 2 & 255) - 2]
            if part is None:
                return False
            value -= -part if terms & _AWAY else part
            terms >>= TERM_BITS
            count += 1
        return abs(value) <= count

    # --- what packed bits would take (codec_packed.py)

    def is_dear(self, count, size):
        """Return whether the block's count rows, of size bytes, shall be packed if they can.

        Compared with less than packed bits take, or as much: what would have to be known for more
        is not kept. So no block is dearer than packed bits, 1.6 % and 4 bytes.
        """
        bits = 0
        if count > 1:
            bits = 11 + (count - 1) * self._width_seen(0)
        for channel in range(1, self.points + 1):
            rows = self._noticed[channel * _NOTICED + _GIVEN]
            rows += count if self._forms[channel] & 128 else 0
            bits += 1
            if rows:
                bits += 11 + rows * self._width_seen(channel)
                if not self._moved[channel]:
                    at = _WORDS + channel * _CHANNEL
                    least = self._bases[channel] + self.state[at + _LEAST] - _BIAS
                    bits += bit_length(-least - 1 if least < 0 else least) + 8 & ~7 if least else 0
        least = bits + 7 >> 3
        return size > least + (least >> 6) + _DEAR

    def _width_seen(self, channel):
        """Return how many bits the values of a channel take that the kernel has seen."""
        at = _WORDS + channel * _CHANNEL
        most = self.state[at + _MOST] - self.state[at + _LEAST]
        if most <= 0 or self._moved[channel] & _AT_EDGE:
            return 0
        wide = self._wide[channel]
        return bit_length(most - 1) + wide if wide else bit_length(most)

    def _doubt(self, step_ms, values):
        """No longer trust ranges to which a row may have belonged that was taken back."""
        state = self.state
        at = _WORDS
        for channel in range(self.points + 1):
            value = values[channel - 1] if channel else step_ms // self.unit_ms
            if value is not None:
                word = (value >> self._wide[channel]) - self._bases[channel] + _BIAS
                if not state[at + _LEAST] < word < state[at + _MOST]:
                    self._moved[channel] = _AT_EDGE
            at += _CHANNEL

    def _turns(self, channel):
        # Called before the form changes: until here it had values, or from here on.
        row = self._rows_max - self.state[_LEFT]
        place = channel * _NOTICED + _GIVEN
        self._noticed[place] += row if self._forms[channel] & 128 else -row


def _term(channel):
    return channel + 1 << 2
