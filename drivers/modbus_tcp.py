"""Modbus frames over TCP: a header says how long a frame is and which request it answers.

Not here: frames on serial lines, and RTU over TCP (modbus_frame.py). Sources: Modbus Messaging on
TCP/IP Implementation Guide V1.0b (MBAP header), Modbus Application Protocol V1.1b3 (PDU).
"""

from drivers.errors import BadFrame
from drivers.modbus_frame import ANSWER, EXCEPTION, MORE, put16, write_pdu


class TCP:
    """One request and its answer under an MBAP header; the transaction id ties them together.

    The fields are those of RTU; a connection has no echo and no silence.
    """

    def __init__(self, unit, data_bytes):
        self.buffer = bytearray(max(12, data_bytes + 9))
        self.body = self.size = self.code = 0
        self.what = MORE
        self.echoes = False
        self.unit = unit
        self._function = 0
        self._fixed = False
        self._id = 0
        self._length = 0  # bytes of this frame seen
        self._whole = 0  # its length, once the header is there

    def ask(self, out, function, address, count):
        """Write a read request (FC 1 to 4); return its length, 12."""
        out[6] = self.unit
        out[7] = function
        put16(out, 8, address)
        put16(out, 10, count)
        self._function = function
        self.expect_read((count + 7) // 8 if function <= 2 else 2 * count)
        return self._close(out, 6)

    def expect_read(self, data_bytes):
        """Say how many data bytes the answer must have, where it is not two a register."""
        self._fixed = False
        self.size = data_bytes

    def write(self, out, function, address, values):
        """Write a request of FC 5, 6 (one value) or 15, 16 (a sequence); return its length."""
        count = write_pdu(out, 6, self.unit, function, address, values)
        self._function = function
        self._fixed = True
        self.size = 4
        return self._close(out, count)

    def _close(self, out, count):
        self._id = (self._id + 1) & 0xFFFF  # a new one for each try: a late answer is not ours
        put16(out, 0, self._id)
        put16(out, 2, 0)
        put16(out, 4, count)
        return count + 6

    def clear(self):
        """Forget what has arrived (the connection is new)."""
        self._length = 0

    def is_partial(self):
        """Return true when part of a frame has arrived."""
        return self._length > 0

    def take(self, data, start, end):
        """Take bytes up to an answer; return the index after the last one; see `what`."""
        #   0  1   2  3   4  5    6     7         8 ...
        #   id     0      length  unit  function  bytes, data ...
        buffer = self.buffer
        room = len(buffer)
        n = self._length
        while start < end:
            if n < room:
                buffer[n] = data[start]
            n += 1
            start += 1
            if n == 6:
                self._whole = 6 + ((buffer[4] << 8) | buffer[5])
                if buffer[2] or buffer[3] or not 9 <= self._whole <= 260:
                    self._length = 0
                    raise BadFrame("no MBAP header: the stream is out of step", end)
            elif n > 8 and n == self._whole:
                self._length = 0
                self._judge(n, start)
                return start
        self._length = n
        self.what = MORE
        return start

    def silence(self):
        """Do nothing: a pause means nothing in a stream."""
        self.what = MORE

    def _judge(self, n, resume):
        buffer = self.buffer
        number = (buffer[0] << 8) | buffer[1]
        if number != self._id:
            raise BadFrame("answer to transaction %d, expected %d" % (number, self._id), resume)
        if buffer[6] != self.unit:
            raise BadFrame("answer of unit %d, expected %d" % (buffer[6], self.unit), resume)
        if buffer[7] == self._function | 0x80 and n == 9:
            self.code = buffer[8]
            self.what = EXCEPTION
            return
        if buffer[7] != self._function:
            what = (buffer[7], self._function)
            raise BadFrame("answer to function %d, expected %d" % what, resume)
        self.body = 8 if self._fixed else 9
        if n != self.body + self.size or not (self._fixed or buffer[8] == self.size):
            raise BadFrame("%d bytes, expected %d" % (n, self.body + self.size), resume)
        self.what = ANSWER
