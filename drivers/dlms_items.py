"""DLMS: the items of A-XDR data: where each begins and ends, and what its dates say.

Not what they mean (drivers/dlms_values.py). Source: DLMS UA 1000-2 Ed. 10, 9.5 (tags); IEC 61334-6
(lengths); DLMS UA 1000-1 Ed. 14, 4.1.6 (dates).
"""

from micropython import const

from drivers.civil import is_eu_summer, utc_seconds

_ARRAY = const(1)
_STRUCTURE = const(2)
_BITS = const(4)
_OCTETS = const(9)
_VISIBLE = const(0x0A)
_UTF8 = const(0x0C)
_COMPACT = const(0x13)
_DEPTH = const(8)

# tag: bytes of its content, for those of a fixed size; signed ones also in _SIGNED.
SIZES = {
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
    0x1C: 1,
    0x1D: 2,
    0x1E: 4,
    0x1F: 1,
    0x20: 2,
    0x21: 4,
    0xFF: 0,
}


class Items:
    """Reads the items of data[start:end]; ValueError where they are malformed."""

    def __init__(self, offset_min):
        """offset_min: how far the meter's winter time is ahead of UTC, where it does not say."""
        self._offset_min = offset_min
        self._data = b""
        self._end = 0
        self._is_compact = False  # a compact array was met
        # What _item() leaves: tag, place of the content, its bytes (items of an array).
        self._tag = 0
        self._at = 0
        self._length = 0

    def _item(self, at):
        """Read tag and length at `at`; return the place of the content."""
        data = self._data
        if at >= self._end:
            raise ValueError("data ends early")
        tag = data[at]
        at += 1
        size = SIZES.get(tag, -1)
        if size < 0:
            if tag not in (_ARRAY, _STRUCTURE, _BITS, _OCTETS, _VISIBLE, _UTF8, _COMPACT):
                raise ValueError("tag 0x%02x at byte %d" % (tag, at - 1))
            if tag == _COMPACT:
                self._is_compact = True
                at = self._type(at, 0)
            at = self._count(at)
            size = self._length
            if tag == _BITS:
                size = (size + 7) // 8
        if tag not in (_ARRAY, _STRUCTURE) and at + size > self._end:
            raise ValueError("item of %d bytes ends early" % size)
        self._tag = tag
        self._at = at
        self._length = size
        return at

    def _count(self, at):
        """Read the length at `at` into _length; return the place behind it (A-XDR, 6.2)."""
        data = self._data
        if at >= self._end:
            raise ValueError("data ends early")
        size = data[at]
        at += 1
        if size > 0x80:
            count = size & 0x7F
            if count > 2:
                raise ValueError("length 0x%02x" % size)
            if at + count > self._end:
                raise ValueError("data ends early")
            size = data[at] if count == 1 else (data[at] << 8) | data[at + 1]
            at += count
        elif size == 0x80:
            raise ValueError("length 0x80")
        self._length = size
        return at

    def _type(self, at, depth):
        """Return the place behind the type description of a compact array at `at`."""
        if at >= self._end or depth == _DEPTH:
            raise ValueError("type description ends early or is too deep")
        tag = self._data[at]
        at += 1
        if tag == _ARRAY:
            return self._type(at + 2, depth + 1)
        if tag == _STRUCTURE:
            at = self._count(at)
            for _ in range(self._length):
                at = self._type(at, depth + 1)
        return at

    def _is_descriptor(self, at):
        """Return whether an attribute descriptor without tags is at `at`, a value behind it."""
        data = self._data
        if at + 9 >= self._end or data[at] or not data[at + 1] or data[at + 7] != 0xFF:
            return False
        tag = data[at + 9]
        return 0 < data[at + 8] <= 32 and (tag in SIZES or tag in (1, 2, 4, 9, 10, 12))

    def _skip(self, at, depth):
        """Return the place behind the item at `at`."""
        at = self._item(at)
        if self._tag not in (_ARRAY, _STRUCTURE):
            return at + self._length
        if depth == _DEPTH:
            raise ValueError("nested deeper than %d" % _DEPTH)
        if self._tag == _STRUCTURE and self._length == 2 and self._is_descriptor(at):
            return self._skip(at + 9, depth + 1)
        for _ in range(self._length):
            at = self._skip(at, depth + 1)
        return at

    def _bits(self, at, content):
        """Return the bit-string whose tag is at `at` as a text of 0 and 1."""
        self._count(at + 1)
        data = self._data
        bits = [
            "1" if data[content + i // 8] << i % 8 & 0x80 else "0" for i in range(self._length)
        ]
        return "".join(bits).encode()

    def _is_clock(self, at):
        """Return whether the 12 octets at `at` are a date and time, not an identity."""
        data = self._data
        year = (data[at] << 8) | data[at + 1]
        return (
            (1970 <= year < 2200 or year == 0xFFFF)
            and (1 <= data[at + 2] <= 12 or data[at + 2] >= 0xFD)
            and (1 <= data[at + 3] <= 31 or data[at + 3] >= 0xFD)
            and (data[at + 4] <= 7 or data[at + 4] == 0xFF)
            and (data[at + 5] <= 23 or data[at + 5] == 0xFF)
            and (data[at + 6] <= 59 or data[at + 6] == 0xFF)
            and (data[at + 7] <= 60 or data[at + 7] == 0xFF)
        )

    def _clock_text(self, at):
        """Return the date and time at `at` as text, as the meter shows it."""
        return (self._date_text(at) + "T" + self._time_text(at + 5)).encode()

    def _date_text(self, at):
        """Return the date at `at`: year 2, month, day; what is not specified is a -."""
        data = self._data
        year = (data[at] << 8) | data[at + 1]
        text = "%04d" % year if year != 0xFFFF else "-"
        for i in (2, 3):
            text += "-%02d" % data[at + i] if data[at + i] < 0xFD else "--"
        return text

    def _time_text(self, at):
        """Return the time of day at `at`; a second that is not specified is 0."""
        data = self._data
        text = ["%02d" % data[at + i] if data[at + i] != 0xFF else "-" for i in range(2)]
        return ":".join(text) + ":%02d" % (0 if data[at + 2] == 0xFF else data[at + 2])

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
            if data[at + 11] != 0xFF and data[at + 11] & 0x80:  # the meter says: summer time
                offset_min += 60
            elif is_eu_summer(year, data[at + 2], data[at + 3], data[at + 5]):
                offset_min += 60
        else:
            offset_min = 65536 - deviation if deviation > 0x8000 else -deviation
        second = 0 if data[at + 7] == 0xFF else data[at + 7]
        if not 1970 <= year < 3000:
            return None
        return utc_seconds(
            year, data[at + 2], data[at + 3], data[at + 5], data[at + 6], second, offset_min
        )
