"""DLMS: from the data of one notification to values.

Not the frames and services around it (drivers/dlms.py). Source: DLMS UA 1000-2 Ed. 10, 9.5 (tags);
DLMS UA 1000-1 Ed. 14, 4.1.6 (date-time, scaler and unit).

    Aidon      02 03 | 09 06 OBIS | value | 02 02 0F scaler 16 unit      one structure per value
    Kamstrup   02 nn | 0A list | 09 06 OBIS | value | 09 06 OBIS | value ...   see dlms_lists.py
    Kaifa      02 nn | value | value ...                                 known by its place
"""

from micropython import const

from drivers.civil import is_eu_summer, utc_seconds
from drivers.dlms_lists import kaifa, kamstrup
from drivers.floats import decimal
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.obis_code import obis_bytes, obis_text
from drivers.reading import GAUGE, GOOD, TEXT, UNAVAILABLE
from drivers.units import cosem

_ARRAY = const(1)
_STRUCTURE = const(2)
_OCTETS = const(9)
_VISIBLE = const(0x0A)
_UTF8 = const(0x0C)
_FLOAT32 = const(0x17)
_DATE_TIME = const(0x19)
_DEPTH = const(8)

# tag: bytes of its content, for those of a fixed size; signed ones also in _SIGNED.
_SIZES = {
    0x00: 0,
    0x03: 1,
    0x05: 4,
    0x06: 4,
    0x0D: 1,
    0x0F: 1,
    0x10: 2,
    0x11: 1,
    0x12: 2,
    0x14: 8,
    0x15: 8,
    0x16: 1,
    0x17: 4,
    0x18: 8,
    0x19: 12,
    0x1A: 5,
    0x1B: 4,
}
_SIGNED = (0x05, 0x0F, 0x10, 0x14)


class Values:
    """Walks the data of a notification and gathers what has an OBIS code."""

    def __init__(self, table, options):
        self.gather = Gather(table, options, obis_bytes)
        self._offset_min = options.get("utc_offset_min", 60)
        self._data = b""
        self._end = 0
        # What _item() leaves: tag, place of the content, its bytes (items of an array).
        self._tag = 0
        self._at = 0
        self._length = 0

    def read(self, data, start, end):
        """Gather the values behind the invoke id at data[start:end]; ValueError when malformed."""
        self._data = data
        self._end = end
        self.gather.start()
        if start < end and data[start] == _OCTETS:  # Kaifa tags its date-time
            start += 1
        if start >= end or data[start] not in (0, 12) or start + 1 + data[start] > end:
            raise ValueError("no date-time at byte %d" % start)
        if data[start]:
            self.gather.time = self._seconds(start + 1)
        at = start + 1 + data[start]
        self._skip(at, 0)  # all must be well formed before anything is believed
        self._list(at, 0)

    def _item(self, at):
        """Read tag and length at `at`; return the place of the content."""
        data = self._data
        if at >= self._end:
            raise ValueError("data ends early")
        tag = data[at]
        at += 1
        size = _SIZES.get(tag, -1)
        if size < 0:
            if tag not in (_ARRAY, _STRUCTURE, 0x04, _OCTETS, _VISIBLE, _UTF8):
                raise ValueError("tag 0x%02x at byte %d" % (tag, at - 1))
            if at >= self._end:
                raise ValueError("data ends early")
            size = data[at]
            at += 1
            if size in (0x81, 0x82):
                count = size & 3
                if at + count > self._end:
                    raise ValueError("data ends early")
                size = data[at] if count == 1 else (data[at] << 8) | data[at + 1]
                at += count
            elif size > 0x82:
                raise ValueError("length 0x%02x" % size)
            if tag == 0x04:
                size = (size + 7) // 8
        if tag not in (_ARRAY, _STRUCTURE) and at + size > self._end:
            raise ValueError("item of %d bytes ends early" % size)
        self._tag = tag
        self._at = at
        self._length = size
        return at

    def _skip(self, at, depth):
        """Return the place behind the item at `at`."""
        at = self._item(at)
        if self._tag not in (_ARRAY, _STRUCTURE):
            return at + self._length
        if depth == _DEPTH:
            raise ValueError("nested deeper than %d" % _DEPTH)
        for _ in range(self._length):
            at = self._skip(at, depth + 1)
        return at

    def _is_code(self, at):
        """Return whether the item at `at` is an OBIS code: six octets."""
        self._item(at)
        return self._tag == _OCTETS and self._length == 6

    def _list(self, at, depth):
        """Gather from the array or structure at `at`."""
        first = self._item(at)
        if self._tag not in (_ARRAY, _STRUCTURE):
            return
        count = self._length
        is_array = self._tag == _ARRAY
        codes = 0
        inner = 0
        at = first
        for _ in range(count):
            codes += self._is_code(at)
            self._item(at)
            inner += self._tag in (_ARRAY, _STRUCTURE)
            at = self._skip(at, depth)
        if not codes and not inner:
            self._places(first, count)
        elif not codes or is_array:
            at = first
            for _ in range(count):
                self._list(at, depth + 1)
                at = self._skip(at, depth)
        else:
            self._pairs(first, count, depth)

    def _pairs(self, at, count, depth):
        """Gather `code value [scaler and unit]` repeated in one structure."""
        i = 0
        while i < count:
            if not self._is_code(at):
                self._item(at)
                if self._tag in (_ARRAY, _STRUCTURE):
                    self._list(at, depth + 1)
                at = self._skip(at, depth)
                i += 1
                continue
            code = self._at
            at = code + 6
            i += 1
            if i == count:
                return
            value = at
            at = self._skip(at, depth)
            i += 1
            unit, exponent = kamstrup(self._data[code + 2], self._data[code + 3])
            if i < count:
                scale = self._item(at)
                if self._tag == _STRUCTURE and self._length == 2 and self._data[scale] == 0x0F:
                    exponent = self._data[scale + 1]
                    exponent = exponent - 256 if exponent > 127 else exponent
                    unit = cosem(self._data[scale + 3])
                    at = self._skip(at, depth)
                    i += 1
            self._put(self._data, code, value, unit, exponent)

    def _places(self, at, count):
        """Gather a list without codes, known by its length."""
        for code, unit, exponent in kaifa(count):
            self._put(obis_bytes(code), 0, at, unit, exponent)
            at = self._skip(at, 0)

    def _put(self, codes, code, at, unit, exponent):
        """Put the value at `at` under the OBIS code codes[code:code + 6]."""
        gather = self.gather
        content = self._item(at)
        tag = self._tag
        length = self._length
        is_clock = length == 12 and tag in (_OCTETS, _DATE_TIME)
        if is_clock and gather.time is None:
            gather.time = self._seconds(content)
        point = gather.find(codes, code, code + 6)
        if point == NOT_WANTED or gather.is_filled(point):
            return
        name = obis_text(codes, code) if point == NEW else ""
        if is_clock:
            gather.put(point, name, self._clock_text(content), 0, "", TEXT, None)
        elif tag in (_OCTETS, _VISIBLE, _UTF8, 0x04):
            text = bytes(self._data[content : content + length])
            gather.put(point, name, text, 0, "", TEXT, None)
        elif tag in (_ARRAY, _STRUCTURE, 0x00, 0x18, 0x1A, 0x1B):
            gather.put(point, name, None, exponent, unit, GAUGE, None, UNAVAILABLE)
        else:
            value = 0
            for i in range(content, content + length):
                value = (value << 8) | self._data[i]
            if tag == _FLOAT32:
                value, power = decimal(value, 4)
                exponent += power
            elif tag in _SIGNED and value >> (8 * length - 1):
                value -= 1 << (8 * length)
            quality = UNAVAILABLE if value is None else GOOD
            gather.put(point, name, value, exponent, unit, GAUGE, None, quality)

    def _clock_text(self, at):
        """Return the date and time at `at` as text, as the meter shows it."""
        data = self._data
        return (
            "%04d-%02d-%02dT%02d:%02d:%02d"
            % (
                (data[at] << 8) | data[at + 1],
                data[at + 2],
                data[at + 3],
                data[at + 5],
                data[at + 6],
                data[at + 7],
            )
        ).encode()

    def _seconds(self, at):
        """Return seconds since 1970 UTC of the 12-byte date-time at `at`, None when it has none.

        4.1.6.1: year 2, month, day, weekday, hour, minute, second, hundredths, deviation 2 (UTC
        minus local time in minutes, 0x8000 unknown), clock status.
        """
        data = self._data
        year = (data[at] << 8) | data[at + 1]
        deviation = (data[at + 9] << 8) | data[at + 10]
        if deviation == 0x8000:
            offset_min = self._offset_min
            if is_eu_summer(year, data[at + 2], data[at + 3], data[at + 5]):
                offset_min += 60
        else:
            offset_min = 65536 - deviation if deviation > 0x8000 else -deviation
        second = 0 if data[at + 7] == 0xFF else data[at + 7]
        if not 1970 <= year < 3000:
            return None
        return utc_seconds(
            year, data[at + 2], data[at + 3], data[at + 5], data[at + 6], second, offset_min
        )
