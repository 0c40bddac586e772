"""DSMR P1: the telegrams that Dutch, Belgian, Luxembourgish, Nordic and Irish meters push.

Not here: what its lines mean (drivers/obis.py). Source: DSMR P1 Companion Standard 2.2 to
5.0.2, section 5; Fluvius e-MUCS_P1 1.7.1.

    /ISk5\\2MT382-1000 CR LF CR LF    identification
    1-0:1.8.1(123456.789*kWh) CR LF   data sets
    !E47C CR LF                       CRC-16 of all from / through !, hex; none before version 4

Options: "size", the longest telegram in bytes (default 2048; Fluvius telegrams with twelve
monthly peaks need it); "crc": True refuses telegrams without a checksum. Without it the driver
insists on one from the first good checksum on. "utc_offset_min": see drivers/obis.py.
"""

from micropython import const

from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame
from drivers.obis import Text

_LF = const(0x0A)
_CR = const(0x0D)
_BANG = const(0x21)
_SLASH = const(0x2F)
_SIZE = const(2048)

_HUNT = const(0)  # looking for the slash
_BODY = const(1)  # up to the exclamation mark
_CHECK = const(2)  # behind it, up to the end of the line


def _hex(byte):
    """Return the value of a hexadecimal digit, -1 when it is none."""
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    if 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66:
        return (byte & 15) + 9
    return -1


class DSMR:
    """One P1 port. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 200_000  # a telegram is sent without pauses, one each 1 to 10 s
    reply_ms = 25_000

    def __init__(self, table, options):
        """table: a MAP whose codes are OBIS texts, or None; options: see the module."""
        self._text = Text(table, options)
        self.points = self._text.gather.points
        self.line = None
        size = options.get("size", _SIZE)
        if size < 64:
            raise ValueError("size: %d bytes hold no P1 telegram" % size)
        self._frame = bytearray(size)
        self._always_crc = bool(options.get("crc", table.get("crc", False) if table else False))
        self._is_crc_due = self._always_crc
        self.reset()

    def request(self, out):
        """Return 0: P1 pushes."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half telegram."""
        self._state = _HUNT
        self._length = 0
        self._digits = 0
        self._crc = 0

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each telegram whose checksum is right or needs none."""
        if start == end:
            if self._state == _CHECK:
                self._finish(end, now_ms, emit)
            elif self._state == _BODY:
                length = self._length
                self.reset()
                raise BadFrame("silence after %d bytes of a telegram" % length, end)
            return end
        frame = self._frame
        size = len(frame)
        for i in range(start, end):
            byte = data[i] & 0x7F  # some meters send 7E1 and are read as 8N1
            state = self._state
            if byte == _SLASH:
                length = self._length
                self.reset()
                self._state = _BODY
                frame[0] = _SLASH
                self._length = 1
                if state != _HUNT:
                    raise BadFrame("telegram cut after %d bytes by the next one" % length, i + 1)
            elif state == _BODY:
                if self._length == size:
                    self.reset()
                    raise BadFrame("telegram longer than %d bytes" % size, i + 1)
                frame[self._length] = byte
                self._length += 1
                if byte == _BANG:
                    self._state = _CHECK
            elif state == _CHECK:
                digit = _hex(byte)
                if byte in (_CR, _LF):
                    self._finish(i + 1, now_ms, emit)
                elif digit < 0 or self._digits == 4:
                    self.reset()
                    raise BadFrame("0x%02x where the checksum should be" % byte, i + 1)
                else:
                    self._crc = (self._crc << 4) | digit
                    self._digits += 1
        return end

    def _finish(self, resume, now_ms, emit):
        """Check the telegram in the frame and emit its reading."""
        frame = self._frame
        length = self._length
        digits = self._digits
        found = self._crc
        self.reset()
        if digits:
            crc = crc16_modbus(frame, 0, length, 0)
            if found != crc:
                raise BadFrame("crc 0x%04x, computed 0x%04x" % (found, crc), resume)
            self._is_crc_due = True
        elif self._is_crc_due:
            self._is_crc_due = self._always_crc  # twice in a row: it is another meter now
            raise BadFrame("telegram without its checksum", resume)
        start = 0
        while frame[start] not in (_CR, _LF, _BANG):
            start += 1
        text = self._text
        text.gather.start()
        fault = ""
        try:
            text.read(frame, start, length - 1)
        except ValueError as why:
            fault = "P1: %s" % why
            if self.points:
                raise BadFrame(fault, resume)
        if text.gather.found or self.points:
            emit(text.gather.finish(now_ms))
        if fault:
            raise BadFrame(fault, resume)
