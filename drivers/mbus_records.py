"""M-Bus application layer: the data records of one telegram.

Not the link layer (drivers/mbus.py). Source: EN 13757-3:2018, 6 (variable data), annex A (data
types); EN 1434-3:1997, A.5 (fixed data).

    DIF DIFE*  VIF VIFE*  data            DIF: e ss ff dddd: extension, storage, function, data
    04         13         39 05 00 00     1.337 m3, a 32-bit integer

A record's number counts from 0 as libmbus counts, fillers (0x2F) apart. In a map a record is
known by its DIF, DIFE, VIF and VIFE bytes in hexadecimal ("84 01 06"), which holds through a
change of the record order; a fixed data counter by "fixed 1" or "fixed 2".
"""

from micropython import const

from drivers import mbus_vif
from drivers.civil import utc_seconds
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.mbus_vif import DATE_TIME, NUMBER, SECONDS
from drivers.reading import GAUGE, GOOD, TEXT, UNAVAILABLE
from drivers.single import real

_EXTENSIONS = const(10)  # of a DIF or a VIF, EN 13757-3, 6.3.4
_VARIABLE = const(0x0D)
_REAL = const(0x05)
# Bytes of a data field; -1 variable, 0x0F special.
_LENGTHS = b"\x00\x01\x02\x03\x04\x04\x06\x08\x00\x01\x02\x03\x04\xff\x06\xff"


def selector(text):
    """Return the bytes by which a map's code is found; ValueError when it is none."""
    if text in ("fixed 1", "fixed 2"):
        return b"\xff" + text[-1:].encode()
    try:
        return bytes(int(byte, 16) for byte in text.split())
    except ValueError:
        raise ValueError("%s is no record: DIF and VIF in hexadecimal, as 04 13" % text)


class Records:
    """Walks the records of telegrams and gathers their values.

    Options: "utc_offset_min", how far the meter's clock is ahead of UTC (default 60).
    """

    def __init__(self, table, options):
        self.gather = Gather(table, options, selector)
        self._offset_min = options.get("utc_offset_min", 60)
        self._number = 0
        self._key = bytearray(2)
        self.more = False  # the telegram ended with DIF 0x1F: the meter has another one
        self._data = b""
        self._end = 0
        # The VIB: what _value_information() leaves
        self._unit = ""
        self._exponent = 0
        self._factor = 1
        self._what = NUMBER
        self._vif = 0

    def start(self):
        """Begin a read-out of one or more telegrams."""
        self._number = 0
        self.gather.start()

    def read(self, data, start, end):
        """Gather the records in data[start:end]; ValueError when they are malformed."""
        self._data = data
        self._end = end
        self.more = False
        at = start
        while at < end:
            dif = data[at]
            if dif == 0x2F:
                at += 1
            elif dif in (0x0F, 0x1F):
                self.more = dif == 0x1F
                self._put_special(at + 1)
                return
            elif dif & 0x0F == 0x0F:
                raise ValueError("DIF 0x%02x is reserved" % dif)
            else:
                at = self._record(at)

    def read_fixed(self, data, start, end):
        """Gather the two counters of fixed data: id 4, access, status, units 2, counters 4 + 4."""
        self._data = data
        self._end = end
        self.more = False
        if end - start < 16:
            raise ValueError("fixed data of %d bytes, 16 are needed" % (end - start))
        is_binary = data[start + 5] & 1
        for i in range(2):
            unit, exponent = mbus_vif.fixed_unit(data[start + 6 + i] & 0x3F)
            at = start + 8 + 4 * i
            value = self._integer(at, 4) if is_binary else self._bcd(at, 4)
            self._key[0] = 0xFF
            self._key[1] = 0x31 + i
            self._put(self._key, 0, 2, value, exponent, unit, GAUGE)

    def _put(self, key, start, end, value, exponent, unit, kind):
        """Put one value under its selector and count it."""
        gather = self.gather
        at = gather.find(key, start, end)
        number = self._number
        self._number += 1
        if at != NOT_WANTED and not gather.is_filled(at):
            code = str(number) if at == NEW else ""
            quality = UNAVAILABLE if value is None else GOOD
            gather.put(at, code, value, exponent, unit, kind, None, quality)

    def _put_special(self, at):
        """Keep manufacturer data as bytes at a desk; a gateway skips them."""
        if self.gather.is_open:
            raw = bytes(self._data[at : self._end])
            self._put(self._data, at, self._end, raw, 0, "", TEXT)

    def _extended(self, at):
        """Return the place behind a DIF or VIF and its extensions."""
        first = at
        while self._next(at) & 0x80:
            at += 1
            if at - first > _EXTENSIONS:
                raise ValueError("more than %d extensions at byte %d" % (_EXTENSIONS, first))
        return at + 1

    def _next(self, at):
        """Return the byte at `at`; ValueError behind the end."""
        if at >= self._end:
            raise ValueError("record ends early")
        return self._data[at]

    def _record(self, start):
        """Read the record at start; return the place behind it."""
        data = self._data
        vib = self._extended(start)
        at = self._value_information(vib)
        field = data[start] & 0x0F
        length = _LENGTHS[field]
        head_end = at
        if field == _VARIABLE:
            return self._variable(start, head_end, at)
        if at + length > self._end:
            raise ValueError("record of %d bytes ends early" % length)
        behind = at + length
        if length == 0:
            self._put(data, start, head_end, None, 0, self._unit, GAUGE)
        elif self._what != NUMBER and field < _REAL + 3 and field != _REAL:
            self._put_date(start, head_end, at, length)
        elif field == _REAL:
            # Six decimals of the result, as a float32 has no more to give.
            exponent = self._exponent
            value = real(self._integer(at, 4) & 0xFFFFFFFF, -6 - exponent)
            if value is not None:
                value *= self._factor
            self._put(data, start, head_end, value, -6, self._unit, GAUGE)
        else:
            value = self._bcd(at, length) if field > 8 else self._integer(at, length)
            self._put_number(start, head_end, value)
        return behind

    def _put_number(self, start, end, value):
        """Put an integer at the scale of the value information."""
        if value is not None:
            value *= self._factor
        self._put(self._data, start, end, value, self._exponent, self._unit, GAUGE)

    def _variable(self, start, head_end, at):
        """Read a field of variable length (LVAR, EN 13757-3, 6.3.3); return what is behind."""
        length = self._next(at)
        at += 1
        if length < 0xC0:
            if at + length > self._end:
                raise ValueError("text of %d bytes ends early" % length)
            if self.gather.find(self._data, start, head_end) == NOT_WANTED:
                self._number += 1
            else:
                text = bytes(self._data[at + length - 1 - i] for i in range(length))
                self._put(self._data, start, head_end, text, 0, self._unit, TEXT)
            return at + length
        size = length & 0x0F
        if length >= 0xF0 or (length < 0xE0 and size > 9) or at + size > self._end:
            raise ValueError("LVAR 0x%02x" % length)
        if length < 0xE0:
            value = self._bcd(at, size)
            if value is not None and length >= 0xD0:
                value = -value
        else:
            value = self._integer(at, size)
        self._put_number(start, head_end, value)
        return at + size

    def _integer(self, at, length):
        """Return the signed little-endian integer of annex A, type B."""
        data = self._data
        value = 0
        for i in range(at + length - 1, at - 1, -1):
            value = (value << 8) | data[i]
        if length and data[at + length - 1] & 0x80:
            value -= 1 << (8 * length)
        return value

    def _bcd(self, at, length):
        """Return the number of annex A, type A: a leading F is a minus; None for other letters."""
        data = self._data
        value = 0
        is_negative = False
        for i in range(at + length - 1, at - 1, -1):
            high = data[i] >> 4
            if high == 0x0F and i == at + length - 1:
                is_negative = True
                high = 0
            if high > 9 or data[i] & 0x0F > 9:
                return None
            value = value * 100 + high * 10 + (data[i] & 0x0F)
        return -value if is_negative else value

    def _value_information(self, at):
        """Read the VIF and its extensions; return the place of the data."""
        vif = self._next(at)
        lead = vif
        self._unit = ""
        self._exponent = 0
        self._factor = 1
        self._what = NUMBER
        self._vif = vif & 0x7F
        if self._vif == 0x7C:
            at = self._plain_unit(at + 1)
            behind = self._extended(at + 1) if vif & 0x80 else at + 1
        else:
            behind = self._extended(at)
        if vif in (0xFB, 0xFD):
            at += 1
            vif = self._data[at]
        row = mbus_vif.find(lead, vif & 0x7F)
        if row is not None:
            code = vif & 0x7F
            self._unit = row[2]
            self._what = row[5]
            self._factor = row[4] or SECONDS[code & 3]
            self._exponent = row[3] + (code - row[0] if row[4] else 0)
        while at + 1 < behind:  # corrections, EN 13757-3, table 15
            at += 1
            code = self._data[at] & 0x7F
            if code == 0x7F:
                break  # what follows is the manufacturer's
            if 0x70 <= code <= 0x77:
                self._exponent += code - 0x76
            elif code == 0x7D:
                self._exponent += 3
        return behind

    def _plain_unit(self, at):
        """Read the unit sent as text, length first and last letter first; return its last byte."""
        length = self._next(at)
        if at + length >= self._end:
            raise ValueError("unit of %d letters ends early" % length)
        if self.gather.is_open:
            for i in range(length, 0, -1):
                self._unit += chr(self._data[at + i])
        return at + length

    def _put_date(self, start, head_end, at, length):
        """Put a date or a time as text; the instantaneous one is the telegram's time."""
        data = self._data
        clock = 0  # bytes before the date: minute and hour, with seconds in type I
        if length == 4 and self._what == DATE_TIME:
            clock = 2
        elif length == 6 and self._what == DATE_TIME:
            clock = 3
        elif length != 2:
            self._put_number(start, head_end, self._integer(at, length))
            return
        low = data[at + clock]
        high = data[at + clock + 1]
        year = 2000 + ((low >> 5) | ((high & 0xF0) >> 1))
        month = high & 0x0F
        day = low & 0x1F
        hour = data[at + clock - 1] & 0x1F if clock else 0
        minute = data[at + clock - 2] & 0x3F if clock else 0
        second = data[at] & 0x3F if clock == 3 else 0
        is_open = self.gather.is_open
        is_invalid = clock and data[at + clock - 2] & 0x80
        seconds = utc_seconds(year, month, day, hour, minute, second, self._offset_min)
        if (
            seconds is not None
            and not is_invalid
            and self._what == DATE_TIME
            and data[start] & 0x7F in (4, 6)
        ):
            if self._vif == 0x6D and not data[start] & 0x80:
                self.gather.time = seconds - (3600 if clock == 2 and data[at + 1] & 0x80 else 0)
        if self.gather.find(data, start, head_end) == NOT_WANTED and not is_open:
            self._number += 1
            return
        text = "%04d-%02d-%02d" % (year, month, day)
        if clock:
            text += "T%02d:%02d:%02d" % (hour, minute, second)
        value = None if is_invalid else text.encode()
        self._put(data, start, head_end, value, 0, "", TEXT)
