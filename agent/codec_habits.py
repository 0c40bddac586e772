"""What a meter's channels were seen to do in one block: told at the head of the next.

What a channel follows and the grid that its values lie on are guessed here: not part of the
format, a reader is told. And whether packed bits would take less than the block has taken. Not the
rows (codec_rows.py), nor how they are written (codec_write.py, codec_packed.py).
"""

from array import array

from micropython import const

from agent.codec_rows import Rows

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
_HAS_MOVED = const(1)  # a channel: its least value is no longer known
_AT_EDGE = const(2)  # nor the range of its values
_DEAR = const(4)  # bytes more than packed, and a 64th, before a block is told so


class Habits(Rows):
    """The rows of a writer, and what it noticed."""

    def __init__(self, points):
        super().__init__(points)
        channels = points + 1
        self._watched = 1  # the channel whose turns are compared with those of others
        self._blocks = 0  # that it was
        self._turn = 0  # of the channel that is looked at as a sum
        self._events = 0  # of the watched channel, before this block
        self._scores = array("h", bytes(4 * channels))
        self._divisors = array("I", bytes(4 * channels))
        self._differences = bytearray(channels)
        self._moved = bytearray(channels)  # in this block: _HAS_MOVED, _AT_EDGE
        self._given_rows = [0] * channels  # with a value; less the row where it appeared
        self._rows_max = 0

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
            rows = self._given_rows[channel] + (count if self._forms[channel] & 128 else 0)
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
        self._given_rows[channel] += row if self._forms[channel] & 128 else -row


def bit_length(number):
    """Return how many bits a number from 0 on has."""
    size = 0
    while number >> size:
        size += 1
    return size
