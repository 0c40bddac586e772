"""Edges of inputs, from interrupts to the port's task: a ring of the bytes of drivers/pulse.py.

Not a pin: a board's hal calls note() from its interrupt, and once for each input at the start.
Nothing here allocates, so the interrupt may be a hard one. An edge that finds the ring full is
lost, and the input's next edge says so.

    edges = Edges(2)
    edges.note(0, pin.value(), ticks_ms())      # in the interrupt
    edges.settle(ticks_ms())                    # in the task
    count = edges.readinto(buffer)
"""

from micropython import const

_UNKNOWN = const(2)
_EDGES = const(64)  # pulses of 33 Hz for a second


class Edges:
    """What the inputs of one port did; like a UART to the port's task."""

    def __init__(self, count):
        """count: inputs, 1 .. 32."""
        self._ring = bytearray(3 * _EDGES)
        self._head = 0  # written by note() alone
        self._tail = 0  # written by readinto() alone
        self._levels = bytearray([_UNKNOWN] * count)
        self._anew = bytearray([1] * count)
        self._owed = bytearray(count)  # a level that did not fit into the ring

    def configure(self, line):
        """Nothing to set."""

    def write(self, data, count):
        """Nothing is ever written to an input."""

    def sending(self):
        """Nothing is ever under way."""
        return 0

    def note(self, index, level, ticks_ms):
        """Take the level of an input after an interrupt; the same level again is no edge."""
        if level == self._levels[index]:
            return
        self._levels[index] = level
        head = self._head
        after = head + 3
        if after == 3 * _EDGES:
            after = 0
        if after == self._tail:
            self._anew[index] = 1
            self._owed[index] = 1
            return
        ring = self._ring
        ring[head] = 0x80 | index << 2 | self._anew[index] << 1 | level
        ring[head + 1] = ticks_ms >> 7 & 0x7F
        ring[head + 2] = ticks_ms & 0x7F
        self._anew[index] = 0
        self._owed[index] = 0
        self._head = after

    def settle(self, ticks_ms):
        """Say the level of each input whose last edge was lost; call it when the ring is read."""
        for index in range(len(self._owed)):
            if self._owed[index]:
                level = self._levels[index]
                self._levels[index] = _UNKNOWN
                self.note(index, level, ticks_ms)

    def readinto(self, buffer):
        """Move whole edges into buffer; return their bytes, 0 when there are none."""
        count = 0
        size = len(buffer) - 2
        tail = self._tail
        while count < size and tail != self._head:
            for i in range(3):
                buffer[count + i] = self._ring[tail + i]
            count += 3
            tail += 3
            if tail == 3 * _EDGES:
                tail = 0
        self._tail = tail
        return count
