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
            count = min(end - start, _SIZE - self._length)
            for i in range(count):
                self._buffer[self._length + i] = data[start + i]
            self._length += count
            start += count
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
        at = 0
        while self._length - at >= 5:
            size = self._size_at(at)
            if size > 0:
                self._frame(at, size, now_ms, emit)
                at += size
            elif size < 0 or final:
                self._lost += 1
                at += 1
            else:
                break
        self._length -= at
        self._buffer[: self._length] = self._buffer[at : at + self._length]

    def _size_at(self, at):
        """Return the size of the frame at `at`; 0: it may become one; -1: it cannot.

        Of two that it may be, the one that ends first: so any split of a stream gives the same.
        """
        b, left = self._buffer, self._length - at
        tcp = 0
        if not b[at + 2] and not b[at + 3]:
            if left < 8:
                return 0
            size = 6 + (b[at + 4] << 8 | b[at + 5])
            if 9 <= size <= 260 and (b[at + 7] & 0x7F) in (1, 2, 3, 4, 5, 6, 15, 16):
                tcp = size
        for size in self._rtu_sizes(at, left):
            if tcp and tcp <= size:
                return tcp if tcp <= left else 0
            if size > left:
                return 0
            crc = crc16_modbus(b, at, at + size - 2)
            if b[at + size - 2] == crc & 0xFF and b[at + size - 1] == crc >> 8:
                return size
        if tcp:
            return tcp if tcp <= left else 0
        return -1

    def _rtu_sizes(self, at, left):
        """Return the sizes that an RTU frame at `at` may have, the least first."""
        b = self._buffer
        function = b[at + 1]
        if function & 0x80:
            return (5,)
        if 1 <= function <= 4:
            size = 5 + b[at + 2]
            return (8, size) if size > 8 else (size, 8)
        if function in (5, 6):
            return (8,)
        if function in (15, 16):
            return (8, 9 + b[at + 6]) if left > 6 else (8, 9)
        return ()

    def _frame(self, at, size, now_ms, emit):
        b = self._buffer
        last, number = at + size, -1
        crc = crc16_modbus(b, at, last - 2)
        if b[last - 2] == crc & 0xFF and b[last - 1] == crc >> 8:
            last -= 2
        else:
            number = b[at] << 8 | b[at + 1]
            at += 6
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
