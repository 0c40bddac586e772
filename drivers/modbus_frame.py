"""Modbus frames on serial lines: requests out, the one answer in, known by its expected length.

Not here: turns and plans (modbus.py), frames with a header (modbus_tcp.py). A frame object belongs
to one meter and holds one request and one answer at a time. Sources: Modbus over Serial Line V1.02
(RTU), Modbus Application Protocol V1.1b3 (PDU).

    frame = RTU(unit, 250)
    count = frame.ask(out, 4, 0x0048, 2)     # read two input registers into out[0:count]
    at = frame.take(data, at, end)           # frame.what == ANSWER: buffer[body:] holds the data

An answer is recognised by unit, function, byte count and checksum together, at whatever place
it ends: so the local echo of a half-duplex adapter (whole, partial or noisy), noise and replies
of other units before it cost nothing. What it is not: proof that the answer belongs to *this*
request. RTU replies carry no address; agent/bus.py drains the line after a time-out for that.
"""

from micropython import const

from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame

MORE = const(0)  # nothing whole yet
ANSWER = const(1)
EXCEPTION = const(2)
_SLACK = const(16)  # what noise and an echo may put before an answer without moving bytes


def framing(transport, unit, data_bytes):
    """Return a frame for answers of up to data_bytes: TCP for "tcp", RTU for "rtu", "rtu_tcp"."""
    if transport == "tcp":
        from drivers.modbus_tcp import TCP  # most gateways have none

        return TCP(unit, data_bytes)
    return RTU(unit, data_bytes)


class RTU:
    """One request and its answer on a serial line, or the same bytes over TCP.

    buffer   the bytes received; body: where the answer's data begin; size: how many they are
    what     what the last take() or silence() found: MORE, ANSWER or EXCEPTION
    code     the exception code after EXCEPTION
    echoes   true once the line has given a request back byte for byte
    """

    def __init__(self, unit, data_bytes):
        self.buffer = bytearray(max(8, data_bytes + 5) + _SLACK)
        self.body = self.size = self.code = 0
        self.what = MORE
        self.echoes = False
        self.unit = unit
        self._asked = bytearray(8)  # a read request, or the first 8 bytes of a write
        self._asked_count = 0
        self._function = 0
        self._want = 8  # bytes of the answer expected
        self._fixed = False  # it repeats the request's head (FC 5, 6, 15, 16)
        self._skip = False  # one echo of a write is still to come
        self._length = 0

    def ask(self, out, function, address, count):
        """Write a read request (FC 1 to 4); return its length, 8."""
        data = (count + 7) // 8 if function <= 2 else 2 * count
        self._head(out, 0, function, address, count)
        self.expect_read(data)
        return self._close(out, 6)

    def expect_read(self, data_bytes):
        """Say how many data bytes the answer must have, where it is not two a register."""
        self._fixed = False
        self.size = data_bytes
        self._want = data_bytes + 5

    def write(self, out, function, address, values):
        """Write a request of FC 5, 6 (one value) or 15, 16 (a sequence); return its length."""
        count = write_pdu(out, 0, self.unit, function, address, values)
        self._function = function
        self._fixed = True
        self.size = 4
        self._want = 8
        return self._close(out, count)

    def _head(self, out, at, function, address, count):
        self._function = function
        out[at] = self.unit
        out[at + 1] = function
        put16(out, at + 2, address)
        put16(out, at + 4, count)

    def _close(self, out, count):
        crc = crc16_modbus(out, 0, count)
        out[count] = crc & 0xFF
        out[count + 1] = crc >> 8
        for i in range(8):
            self._asked[i] = out[i]
        self._asked_count = count + 2
        self._skip = self._fixed and count == 6 and self.echoes
        self._length = 0
        return count + 2

    def clear(self):
        """Forget what has arrived."""
        self._length = 0

    def is_partial(self):
        """Return true when part of something has arrived."""
        return self._length > 0

    def take(self, data, start, end):
        """Take bytes up to an answer; return the index after the last one; see `what`."""
        #   unit  function  bytes  data ...     crc low  crc high      a read
        #   unit  function  address   value     crc low  crc high      a write
        #   unit  fn|0x80   code                crc low  crc high      an exception
        buffer = self.buffer
        unit = self.unit
        function = self._function
        want = self._want
        room = len(buffer)
        n = self._length
        while start < end:
            if n == room:
                n = self._shift(n)
            buffer[n] = data[start]
            n += 1
            start += 1
            if n < 5:
                continue
            at = n - want
            if at >= 0 and buffer[at] == unit and buffer[at + 1] == function:
                self._length = n
                if self._is_answer(at) and not self._is_echo(at):
                    self._taken(at)
                    return start
            at = n - 5
            if buffer[at] == unit and buffer[at + 1] == function | 0x80 and self._sums(at, n):
                self.code = buffer[at + 2]
                self._length = 0
                self.what = EXCEPTION
                return start
        self._length = n
        self.what = MORE
        return start

    def silence(self):
        """The line has been silent for a gap: set `what`, or raise BadFrame.

        The beginning of our own answer is kept: a receive buffer may hand out a frame in parts.
        """
        n = self._length
        self.what = MORE
        if not n:
            return
        if n == self._want and self._is_beginning(n) and self._is_answer(0):
            self._taken(0)  # it looked like an echo, and no more of it came
            return
        if self._is_request(n):
            self.echoes = True
            self._length = 0
            return
        if n < self._want and self._is_beginning(n):
            return
        self._length = 0
        raise BadFrame(self._diagnosis(n))

    def _taken(self, at):
        self.body = at + 2 if self._fixed else at + 3
        self._length = 0
        self.what = ANSWER

    def _is_answer(self, at):
        buffer = self.buffer
        if self._fixed:
            for i in range(2, 6):
                if buffer[at + i] != self._asked[i]:
                    return False
        elif buffer[at + 2] != self.size:
            return False
        return self._sums(at, at + self._want)

    def _is_echo(self, at):
        """Return true when an apparent answer is the request coming back; note that it did."""
        if self._fixed:
            echo = self._skip
            self._skip = False
            return echo
        if at or self._want > 8:
            return False
        return self._is_request(self._want)

    def _is_request(self, n):
        if n > 8 or n > self._asked_count:
            return False
        for i in range(n):
            if self.buffer[i] != self._asked[i]:
                return False
        return n in (self._asked_count, self._want)

    def _is_beginning(self, n):
        buffer = self.buffer
        if n > self._want or buffer[0] != self.unit or (n > 1 and buffer[1] != self._function):
            return False
        return n < 3 or self._fixed or buffer[2] == self.size

    def _sums(self, start, end):
        crc = crc16_modbus(self.buffer, start, end - 2)
        return self.buffer[end - 2] == crc & 0xFF and self.buffer[end - 1] == crc >> 8

    def _shift(self, n):
        """Make room: only the last want - 1 bytes can still begin an answer."""
        keep = max(self._want, 8) - 1
        for i in range(keep):
            self.buffer[i] = self.buffer[n - keep + i]
        return keep

    def _diagnosis(self, n):
        buffer = self.buffer
        if n < 4:
            return "%d bytes of noise" % n
        if not self._sums(0, n):
            crc = crc16_modbus(buffer, 0, n - 2)
            found = buffer[n - 2] | (buffer[n - 1] << 8)
            return "crc 0x%04x, computed 0x%04x, %d bytes" % (found, crc, n)
        if buffer[0] != self.unit:
            return "answer of unit %d, expected %d" % (buffer[0], self.unit)
        if buffer[1] != self._function:
            return "answer to function %d, expected %d" % (buffer[1], self._function)
        return "%d data bytes, expected %d" % (buffer[2], self.size)


def put16(out, at, value):
    """Write a register, high byte first."""
    out[at] = (value >> 8) & 0xFF
    out[at + 1] = value & 0xFF


def write_pdu(out, at, unit, function, address, values):
    """Write unit and PDU of FC 5, 6, 15 or 16 at out[at]; return the bytes written.

    values: a bool for 5, a register for 6, a sequence of bools (1..1968) for 15 or registers
    (1..123) for 16. Raises ValueError outside these (Modbus Application Protocol, 6.5 to 6.12).
    """
    out[at] = unit
    out[at + 1] = function
    put16(out, at + 2, address)
    if function == 5:
        put16(out, at + 4, 0xFF00 if values else 0)
        return 6
    if function == 6:
        put16(out, at + 4, values)
        return 6
    count = len(values)
    if function not in (15, 16) or not 1 <= count <= (1968 if function == 15 else 123):
        raise ValueError("function %d with %d values" % (function, count))
    put16(out, at + 4, count)
    size = (count + 7) // 8 if function == 15 else 2 * count
    out[at + 6] = size
    for i in range(size):
        out[at + 7 + i] = 0
    for i in range(count):
        if function == 16:
            put16(out, at + 7 + 2 * i, values[i])
        elif values[i]:
            out[at + 7 + i // 8] |= 1 << (i % 8)
    return 7 + size
