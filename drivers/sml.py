"""SML, transport version 1: the telegrams that German meters push on their optical port.

Not here: what is inside a telegram (drivers/sml_values.py). Source: BSI TR-03109-1 Anlage IV
"Smart Message Language", version 1.04, section 8.

    from drivers.sml import SML

    meter = SML(None, {})                          # every value found
    meter.feed(data, 0, len(data), 0, print_reading)

    1B 1B 1B 1B 01 01 01 01   messages   00 .. 00   1B 1B 1B 1B 1A  n  crc crc
    escape      start         escaped    n fill     escape      end    low byte first

The checksum (X.25) covers all from the first escape through n. Four 1B within the messages are
sent twice. Options: "size", the longest telegram in bytes (default 2048).
"""

from micropython import const

from drivers.checksums import crc16_x25
from drivers.errors import BadFrame
from drivers.sml_values import SMLValues

_ESCAPE = const(0x1B)
_START = const(0x01)
_END = const(0x1A)
_SIZE = const(2048)

# Where in the stream
_HUNT = const(0)  # looking for four escapes and four starts
_BODY = const(1)  # within the messages
_CONTROL = const(2)  # behind four escapes: four bytes that say why


class SML:
    """One meter that pushes SML. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 200_000  # a telegram is sent without pauses; they come every second or slower
    reply_ms = 20_000

    def __init__(self, table, options):
        """table: a MAP whose codes are OBIS texts, or None; options: "points", "size"."""
        self._values = SMLValues(table, options)
        self.points = self._values.gather.points
        self.line = None
        size = options.get("size", _SIZE)
        if size < 64:
            raise ValueError("size: %d bytes hold no SML telegram" % size)
        self._frame = bytearray(size)
        self.reset()

    def request(self, out):
        """Return 0: SML meters push."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half telegram."""
        self._state = _HUNT
        self._run = 0  # escapes in a row
        self._ones = 0  # starts behind them
        self._length = 0  # bytes of the telegram in the frame, with all escapes
        self._control = 0  # control bytes taken

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each telegram whose checksum is right."""
        if start == end:
            if self._state != _HUNT:
                length = self._length
                self.reset()
                raise BadFrame("silence after %d bytes of a telegram" % length, end)
            return end
        frame = self._frame
        size = len(frame)
        for i in range(start, end):
            byte = data[i]
            if self._state == _HUNT:
                self._hunt(byte)
                continue
            if self._length == size:
                self.reset()
                self._hunt(byte)
                raise BadFrame("telegram longer than %d bytes" % size, i + 1)
            frame[self._length] = byte
            self._length += 1
            if self._state == _BODY:
                if byte != _ESCAPE:
                    self._run = 0
                else:
                    self._run += 1
                    if self._run == 4:
                        self._run = 0
                        self._control = 0
                        self._state = _CONTROL
                continue
            self._control += 1
            if self._control == 4:
                self._act(i + 1, now_ms, emit)
        return end

    def _hunt(self, byte):
        """Look for the start sequence; a run of more than four escapes may lead it."""
        if byte == _ESCAPE:
            self._run = self._run + 1 if self._ones == 0 else 1
            self._ones = 0
        elif byte == _START and self._run >= 4:
            self._ones += 1
            if self._ones == 4:
                self._begin()
        else:
            self._run = 0
            self._ones = 0

    def _begin(self):
        """Start a telegram whose first eight bytes have been seen."""
        frame = self._frame
        for i in range(4):
            frame[i] = _ESCAPE
            frame[i + 4] = _START
        self._length = 8
        self._run = 0
        self._ones = 0
        self._state = _BODY

    def _act(self, resume, now_ms, emit):
        """Do what the control sequence in the last four bytes says."""
        frame = self._frame
        at = self._length - 4
        first = frame[at]
        if first == _END:
            self._finish(resume, now_ms, emit)
            return
        same = frame[at + 1] == first and frame[at + 2] == first and frame[at + 3] == first
        if same and first == _ESCAPE:
            self._state = _BODY  # four escapes meant as such
            return
        if same and first == _START:
            length = self._length - 8
            self._begin()
            raise BadFrame("telegram cut after %d bytes by the next one" % length, resume)
        # Damaged. The four escapes and these bytes may still lead to a start sequence.
        length = self._length
        self.reset()
        for i in range(length - 8, length):
            self._hunt(frame[i])
        raise BadFrame("control byte 0x%02x in a telegram" % first, resume)

    def _finish(self, resume, now_ms, emit):
        """Check the telegram and emit its reading."""
        frame = self._frame
        length = self._length
        fill = frame[length - 3]
        found = frame[length - 2] | (frame[length - 1] << 8)
        crc = crc16_x25(frame, 0, length - 2) ^ 0xFFFF
        self.reset()
        start = 0
        if found != crc:
            for i in range(length - 8, length):  # a damaged end may touch the next start
                self._hunt(frame[i])
            start = self._last_start(length)
        if start >= 0:
            if fill > 3:
                raise BadFrame("%d fill bytes, at most 3 can be" % fill, resume)
            end = self._plain(start + 8, length - 8) - fill
            try:
                self._values.read(frame, start + 8, end)
            except ValueError as why:
                raise BadFrame("SML: %s" % why, resume)
            if self._values.gather.found or self.points:
                emit(self._values.gather.finish(now_ms))
        if found != crc:
            raise BadFrame("crc 0x%04x, computed 0x%04x, %d bytes" % (found, crc, length), resume)

    def _last_start(self, length):
        """Return where a good telegram starts within a damaged one, -1 when there is none.

        A telegram cut right behind four escapes makes the next one's start look escaped.
        """
        frame = self._frame
        run = 0
        for at in range(8, length - 16):
            run = run + 1 if frame[at] == _ESCAPE else 0
            if run >= 4 and frame[at + 1] == _START:
                first = at - 3
                crc = crc16_x25(frame, first, length - 2) ^ 0xFFFF
                if crc == frame[length - 2] | (frame[length - 1] << 8):
                    return first
        return -1

    def _plain(self, start, end):
        """Take the doubled escapes out of the frame, in place; return its new end."""
        frame = self._frame
        run = 0
        to = start
        at = start
        while at < end:
            byte = frame[at]
            frame[to] = byte
            to += 1
            at += 1
            run = run + 1 if byte == _ESCAPE else 0
            if run == 4:
                at += 4
                run = 0
        return to
