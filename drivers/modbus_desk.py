"""A Modbus recording at a desk: requests and answers paired, raw registers out.

Not for a meter in service. Frames may be RTU or TCP, one after the other without any mark of
time; each is found by its length and checksum, or by its MBAP header. Points are named by where
they are: "fc4:0x0048", unit "", exponent 0; an exception or a write is BadFrame-free and gives
nothing. A read request and its answer of the same unit and function make one reading.
"""

from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame
from drivers.reading import GAUGE, STATE, Point, Reading

_SIZE = 520


class Desk:
    """The buffer of a stream that holds both sides of the talk."""

    def __init__(self):
        self._buffer = bytearray(_SIZE)
        self._length = 0
        self._lost = 0  # bytes that were in no frame since the last silence
        self._request = None  # (unit, function, address, count, transaction)

    def feed(self, data, start, end, now_ms, emit):
        """Take data[start:end]; emit a Reading for each answered read.

        Raises BadFrame at a silence, when bytes since the last one were in no frame.
        """
        silent = start == end
        while start < end:
            self._buffer[self._length] = data[start]
            self._length += 1
            start += 1
            self._scan(now_ms, emit, False)
        if silent:
            self._scan(now_ms, emit, True)
            lost = self._lost + self._length
            self._length = self._lost = 0
            if lost:
                raise BadFrame("%d bytes are no Modbus frame" % lost, end)
        return end

    def _scan(self, now_ms, emit, final):
        """Take every frame that stands at the front; drop bytes that begin none.

        The longest frame is shorter than the buffer, so the front is always judged in time.
        """
        while self._length:
            size = self._size_at(0)
            if size > 0:
                self._frame(size, now_ms, emit)
                self._drop(size)
            elif size < 0 or (final and self._length > 4):
                self._lost += 1
                self._drop(1)
            else:
                return

    def _size_at(self, at):
        """Return the size of the frame at `at`; 0: it may become one; -1: it cannot."""
        b, left = self._buffer, self._length - at
        if left < 5:
            return 0
        maybe = False
        begins_tcp = left >= 6 and not b[at + 2] and not b[at + 3]
        if begins_tcp and 3 <= (b[at + 4] << 8 | b[at + 5]) <= 254:
            size = 6 + (b[at + 4] << 8 | b[at + 5])
            if left >= 8 and (b[at + 7] & 0x7F) in (1, 2, 3, 4, 5, 6, 15, 16):
                if left >= size:
                    return size
                maybe = True
            maybe = maybe or left < 8
        for size in self._rtu_sizes(at, left):
            if size > left:
                maybe = True
            else:
                crc = crc16_modbus(b, at, at + size - 2)
                if b[at + size - 2] == crc & 0xFF and b[at + size - 1] == crc >> 8:
                    return size
        return 0 if maybe else -1

    def _rtu_sizes(self, at, left):
        b = self._buffer
        function = b[at + 1]
        if function & 0x80:
            return (5,)
        if 1 <= function <= 4:
            return (8, 5 + b[at + 2])
        if function in (5, 6):
            return (8,)
        if function in (15, 16):
            return (8, 9 + b[at + 6]) if left > 6 else (8, 9)
        return ()

    def _frame(self, size, now_ms, emit):
        b = self._buffer
        crc = crc16_modbus(b, 0, size - 2)
        is_rtu = b[size - 2] == crc & 0xFF and b[size - 1] == crc >> 8
        at, last, number = (0, size - 2, -1) if is_rtu else (6, size, b[0] << 8 | b[1])
        unit, function = b[at], b[at + 1]
        if not 1 <= function <= 4:
            return
        asked = self._request
        if asked and asked[0] == unit and asked[1] == function and asked[4] == number:
            if last - at == 3 + b[at + 2]:
                self._request = None
                self._answer(asked, at + 3, b[at + 2], now_ms, emit)
                return
        if last - at == 6:
            address, count = b[at + 2] << 8 | b[at + 3], b[at + 4] << 8 | b[at + 5]
            self._request = (unit, function, address, count, number)

    def _answer(self, asked, at, size, now_ms, emit):
        _, function, address, count, _ = asked
        bits = function <= 2
        if size != ((count + 7) // 8 if bits else 2 * count):
            count = 8 * size if bits else size // 2  # it lies about the count: show what is there
        kind = STATE if bits else GAUGE
        name = "fc%d:0x%04x"
        points = [
            Point(name % (function, address + i), "", 0, kind, name % (function, address + i))
            for i in range(count)
        ]
        reading = Reading(points)
        b = self._buffer
        for i in range(count):
            if bits:
                reading.set(i, (b[at + i // 8] >> (i % 8)) & 1)
            else:
                reading.set(i, (b[at + 2 * i] << 8) | b[at + 2 * i + 1])
        reading.at_ms = now_ms
        emit(reading)

    def _drop(self, count):
        left = self._length - count
        self._buffer[:left] = self._buffer[count : self._length]
        self._length = left
