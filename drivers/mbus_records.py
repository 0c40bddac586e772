"""M-Bus application layer: the data records of one telegram.

Not the link layer (drivers/mbus.py). Source: EN 13757-3:2018, 6 (variable data), annex A (data
types); EN 1434-3:1997, A.5 (fixed data).

    DIF DIFE*  VIF VIFE*  data            DIF: e ss ff dddd: extension, storage, function, data
    04         13         39 05 00 00     1.337 m3, a 32-bit integer

A record's number counts from 0 as libmbus counts, fillers (0x2F) apart. In a map a record is
known by its DIF, DIFE, VIF and VIFE bytes in hexadecimal ("84 01 06"), which holds through a
change of the record order; a fixed data counter by "fixed 1" or "fixed 2". At a desk these bytes
are the name of the value.

A value's time is that of the storage it belongs to, where a record tells it: the telegram's
for storage 0.
"""

from micropython import const

from drivers import mbus_date, mbus_vif
from drivers.floats import decimal
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.mbus_vif import BITS, DATE, NUMBER, SECONDS
from drivers.reading import GAUGE, GOOD, OVERFLOW, TEXT, UNAVAILABLE, VALUE_MAX

_EXTENSIONS = const(10)  # of a DIF or a VIF, EN 13757-3, 6.3.4
_VARIABLE = const(0x0D)
_REAL = const(0x05)
_WIDEST = const(8)  # bytes of a binary number; a longer one is given as hexadecimal text
# Bytes of a data field; -1 variable, 0x0F special.
_LENGTHS = b"\x00\x01\x02\x03\x04\x04\x06\x08\x00\x01\x02\x03\x04\xff\x06\xff"
# Combinable extensions by which a meter says that a record holds no value; 0x16: too large a one.
_ERRORS = b"\x01\x02\x03\x04\x05\x06\x07\x0b\x0c\x0d\x0e\x0f\x15\x16\x17\x18\x1c"
_LONG = b"\x10\x14\x18\x1c\x20\x30\x40"  # LVAR 0xF0 to 0xF6


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
        self._dates = {}  # of this read-out: storage, seconds
        # The DIB: what _data_information() leaves
        self._storage = 0
        self._is_plain = True  # an instantaneous value without tariff and unit
        self._vib = 0  # place of the VIF
        # The VIB: what _value_information() leaves
        self._unit = ""
        self._exponent = 0
        self._factor = 1
        self._offset = None  # power of ten of a constant to be added
        self._what = NUMBER
        self._quality = GOOD

    def start(self):
        """Begin a read-out of one or more telegrams."""
        self._number = 0
        if self._dates:
            self._dates = {}
        self.gather.start()

    def finish(self, now_ms):
        """Return the Reading of the read-out, valid until the next start()."""
        self.gather.time = self._dates.get(0)
        reading = self.gather.finish(now_ms)
        times = reading.times
        for i in range(len(times)):
            if times[i] is not None and times[i] < 0:  # as _put() marks a storage
                times[i] = self._dates.get(-1 - times[i])
        return reading

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
                self._put_special(at)
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
        is_bcd = not data[start + 5] & 0x80
        units = data[start + 6], data[start + 7]
        self._storage = 0
        for i in range(2):
            at = start + 8 + 4 * i
            value = self._bcd(at, 4) if is_bcd else self._integer(at, 4)
            unit, exponent = mbus_vif.fixed_unit(units[i] & 0x3F)
            self._key[0] = 0xFF
            self._key[1] = 0x31 + i
            self._put(self._key, 0, 2, value, exponent, unit, GAUGE)

    def _put(self, key, start, end, value, exponent, unit, kind, quality=GOOD):
        """Put the value of the record whose head is key[start:end], and count it."""
        gather = self.gather
        at = gather.find(key, start, end)
        number = self._number
        self._number += 1
        if at != NOT_WANTED and not gather.is_filled(at):
            code = name = ""
            if at == NEW:
                code = str(number)
                name = " ".join(["%02X" % key[i] for i in range(start, end)])
            if value is None and quality == GOOD:
                quality = UNAVAILABLE
            time = -1 - self._storage if self._storage else None
            gather.put(at, code, value, exponent, unit, kind, time, quality, name)

    def _put_special(self, at):
        """Keep manufacturer data as bytes at a desk; a gateway skips them."""
        if self.gather.is_open:
            self._storage = 0
            raw = bytes(self._data[at + 1 : self._end])
            self._put(self._data, at, at + 1, raw, 0, "", TEXT)

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
        at = head_end = self._value_information(self._data_information(start))
        field = data[start] & 0x0F
        length = _LENGTHS[field]
        if field == _VARIABLE:
            return self._variable(start, head_end, at)
        if at + length > self._end:
            raise ValueError("record of %d bytes ends early" % length)
        if length == 0:
            self._put(data, start, head_end, None, 0, self._unit, GAUGE)
        elif self._what == DATE and field < 8 and field != _REAL:
            self._put_date(start, head_end, at, length)
        elif field == _REAL:
            bits = self._unsigned(at, 4)
            value, exponent = decimal(bits, 4, VALUE_MAX // (2 * self._factor))
            self._exponent += exponent
            self._put_number(start, head_end, value)
        elif field > 8:
            self._put_number(start, head_end, self._bcd(at, length))
        else:
            self._put_number(start, head_end, self._integer(at, length))
        return at + length

    def _data_information(self, at):
        """Read the DIF at `at` and its extensions; return the place of the VIF."""
        behind = self._extended(at)
        data = self._data
        storage = data[at] >> 6 & 1
        self._is_plain = not data[at] & 0x30
        for i in range(at + 1, behind):
            storage |= (data[i] & 0x0F) << (4 * (i - at) - 3)
            self._is_plain = self._is_plain and not data[i] & 0x70
        self._storage = storage
        self._vib = behind
        return behind

    def _put_number(self, start, end, value):
        """Put an integer at the scale of the value information."""
        exponent = self._exponent
        quality = self._quality
        if quality != GOOD:
            value = None
        if value is not None:
            value *= self._factor
            if self._offset is not None:
                value = value * 10 ** max(exponent - self._offset, 0)
                exponent = min(exponent, self._offset)
                value += 10 ** (self._offset - exponent)
        self._put(self._data, start, end, value, exponent, self._unit, GAUGE, quality)

    def _variable(self, start, head_end, at):
        """Read a field of variable length (LVAR, EN 13757-3, 6.3.3); return what is behind."""
        length = self._next(at)
        at += 1
        size = length
        if length >= 0xF0:
            size = _LONG[length - 0xF0] if length - 0xF0 < len(_LONG) else -1
        elif length >= 0xC0:
            size = length & 0x0F if length >= 0xE0 or length & 0x0F < 10 else -1
        if size < 0 or at + size > self._end:
            raise ValueError("LVAR 0x%02x" % length)
        if length < 0xC0 or size > _WIDEST + (2 if length < 0xE0 else 0):
            self._put_text(start, head_end, at, size, length < 0xC0)
        elif length < 0xE0:
            value = self._bcd(at, size)
            if value is not None and length >= 0xD0:
                value = -value
            self._put_number(start, head_end, value)
        elif self._what == DATE:
            self._put_date(start, head_end, at, size)
        else:
            self._put_number(start, head_end, self._integer(at, size))
        return at + size

    def _put_text(self, start, head_end, at, size, is_text):
        """Put a text, or a number too wide to be one in hexadecimal; both are sent last first."""
        data = self._data
        if self.gather.find(data, start, head_end) == NOT_WANTED:
            self._number += 1
            return
        if is_text:
            text = bytes(data[at + size - 1 - i] for i in range(size))
        else:
            text = "".join(["%02x" % data[at + size - 1 - i] for i in range(size)]).encode()
        self._put(data, start, head_end, text, 0, self._unit, TEXT)

    def _unsigned(self, at, length):
        """Return the unsigned little-endian integer of annex A, type C or D."""
        data = self._data
        value = 0
        for i in range(at + length - 1, at - 1, -1):
            value = (value << 8) | data[i]
        return value

    def _integer(self, at, length):
        """Return the signed little-endian integer of annex A, type B; flags are unsigned."""
        value = self._unsigned(at, length)
        if length and self._data[at + length - 1] & 0x80 and self._what != BITS:
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
        lead = vif = self._next(at)
        self._unit = ""
        self._exponent = 0
        self._factor = 1
        self._offset = None
        self._what = NUMBER
        self._quality = GOOD
        if vif & 0x7F == 0x7C:
            at = self._plain_unit(at + 1)
            behind = self._extended(at + 1) if vif & 0x80 else at + 1
        else:
            behind = self._extended(at)
        if vif == 0xFF:
            return behind  # the manufacturer's, with all its extensions
        if vif in (0xEF, 0xFB, 0xFD):
            at += 1
            vif = self._data[at]
            if lead == 0xFD and vif == 0xFD:  # the second level
                at += 1
                vif = self._data[at]
                lead = 0xEF
                if vif & 0x7F in (2, 3):
                    self._unit = "mo" if vif & 0x7F == 2 else "a"
        row = mbus_vif.find(lead, vif & 0x7F)
        if row is not None:
            code = vif & 0x7F
            self._unit = row[2]
            self._what = row[5]
            self._factor = row[4]
            if row[4] <= 0:
                self._factor = SECONDS[(code & 3) - 2 * row[4]]
            self._exponent = row[3]
            if row[4] > 0 and row[5] == NUMBER:
                self._exponent += code - row[0]
        self._combine(at + 1, behind)
        return behind

    def _combine(self, at, behind):
        """Apply the combinable extensions data[at:behind] (EN 13757-3, tables 15 to 17)."""
        while at < behind:
            code = self._data[at] & 0x7F
            at += 1
            if code == 0x7F:
                return  # what follows is the manufacturer's
            if code == 0x7C:  # a second table; 0x11: the number is unsigned
                if at < behind and self._data[at] & 0x7F == 0x11:
                    self._what = BITS
                at += 1
            elif code in _ERRORS:
                self._quality = OVERFLOW if code == 0x16 else UNAVAILABLE
            elif 0x20 <= code <= 0x38:
                self._unit += mbus_vif.PER.split(" ")[code - 0x20]
            elif code == 0x39 or code & 0x72 == 0x42 or code & 0x7A == 0x6A:
                self._set(DATE, "", 1)  # when it began or ended
            elif code & 0x70 == 0x50 or code & 0x78 == 0x60:
                self._set(NUMBER, "s", SECONDS[code & 3])  # for how long
            elif code & 0x77 == 0x41:
                self._set(NUMBER, "", 1)  # how often
            elif 0x70 <= code <= 0x77:
                self._exponent += code - 0x76
            elif 0x78 <= code <= 0x7B:
                self._offset = code - 0x7B
            elif code == 0x7D:
                self._exponent += 3

    def _set(self, what, unit, factor):
        """Take the record for another quantity than its VIF says."""
        self._what = what
        self._unit = unit
        self._factor = factor
        self._exponent = 0

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
        """Put a date or a time as text; the present one of a storage is the time of its values."""
        data = self._data
        found = mbus_date.read(data, at, length, self._offset_min)
        if found is None:
            self._put_number(start, head_end, self._integer(at, length))
            return
        is_plain = self._is_plain and self._vib == head_end - 1
        if is_plain and length in (4, 6) and data[self._vib] == 0x6D and found[1] is not None:
            self._dates.setdefault(self._storage, found[1])
        if self.gather.find(data, start, head_end) == NOT_WANTED:
            self._number += 1
            return
        self._put(data, start, head_end, found[0], 0, "", TEXT)
