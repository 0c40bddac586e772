"""DLMS: from the data of one notification to values.

Not the frames and services around it (drivers/dlms.py), nor its items (drivers/dlms_items.py).
Source: DLMS UA 1000-1 Ed. 14, 4.1.7 (scaler and unit), 4.4.8 (push lists).

    Aidon      02 03 | 09 06 OBIS | value | 02 02 0F scaler 16 unit      one structure per value
    Kamstrup   02 nn | 0A list | 09 06 OBIS | value | 09 06 OBIS | value ...   see dlms_lists.py
    Kaifa      02 nn | value | value ...                                 known by its place
    push list  02 nn | 01 nn (02 04 12 class 09 06 OBIS 0F attribute 12 0) ... | value | value ...
    descriptor 02 02 | class 2, OBIS 6, attribute 1, without tags | value

The code of a map's point is its OBIS code, or "#n" for the nth value that has none. A row's sixth
column is the power of ten, in the point's unit, of a number that comes without scaler and unit.
"""

from micropython import const

from drivers.dlms_items import Items
from drivers.dlms_lists import kaifa, kaifa_scale, kamstrup
from drivers.floats import decimal
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.obis_code import obis_bytes, obis_text
from drivers.reading import GAUGE, GOOD, TEXT, UNAVAILABLE
from drivers.units import cosem

_ARRAY = const(1)
_STRUCTURE = const(2)
_BITS = const(4)
_OCTETS = const(9)
_VISIBLE = const(0x0A)
_UTF8 = const(0x0C)
_BCD = const(0x0D)
_INTEGER = const(0x0F)
_LONG_UNSIGNED = const(0x12)
_FLOAT32 = const(0x17)
_FLOAT64 = const(0x18)
_DATE_TIME = const(0x19)
_DATE = const(0x1A)
_TIME = const(0x1B)
_SIGNED = (0x05, 0x0F, 0x10, 0x14, 0x1C, 0x1D, 0x1E)


def _key(code):
    """Return the bytes by which a map's code is found; ValueError when it is none."""
    if code[:1] != "#":
        return obis_bytes(code)
    if not code[1:].isdigit() or not 0 < int(code[1:]) < 256:
        raise ValueError("%s is no place such as #3" % code)
    return bytes((0x23, int(code[1:])))


class Values(Items):
    """Walks the data of a notification and gathers what has an OBIS code."""

    def __init__(self, table, options):
        super().__init__(options.get("utc_offset_min", 60))
        self.gather = Gather(table, options, _key)
        self._bare = tuple([row[5] if len(row) > 5 else None for row in self.gather.rows])
        self._size = options.get("size", 1024)
        self._place_key = bytearray(b"#0")
        self._place = 0  # values without a code so far
        self._is_kamstrup = self._is_kaifa = False  # a list that does not say its scalers

    def read(self, data, start, end):
        """Gather the values behind the invoke id at data[start:end]; return the place behind them.

        ValueError when they are malformed.
        """
        self._data = data
        self._end = end
        self._place = 0
        self._is_kamstrup = self._is_kaifa = False
        self._is_compact = False
        self.gather.start()
        if start < end and data[start] == _OCTETS:  # Kaifa tags its date-time
            start += 1
        if start >= end or data[start] not in (0, 12) or start + 1 + data[start] > end:
            raise ValueError("no date-time at byte %d" % start)
        if data[start]:
            self.gather.time = self._seconds(start + 1)
        at = start + 1 + data[start]
        try:
            behind = self._skip(at, 0)  # all must be well formed before anything is believed
            if self._is_compact:
                from drivers.dlms_compact import expand

                self._data = expand(data, at, end, 4 * self._size)
                self._end = len(self._data)
                at = 0
                self._skip(at, 0)
            self._list(at, 0)
        finally:
            self._data = b""  # what was decrypted or expanded is not kept
        return behind

    def _is_code(self, at):
        """Return whether the item at `at` is an OBIS code: six octets."""
        self._item(at)
        return self._tag == _OCTETS and self._length == 6

    def _list(self, at, depth):
        """Gather from the array or structure at `at`, or the value without a code there."""
        first = self._item(at)
        if self._tag not in (_ARRAY, _STRUCTURE):
            self._put_place(at)
            return
        count = self._length
        is_array = self._tag == _ARRAY
        if not is_array and count == 2 and self._is_descriptor(first):
            self._put(self._data, first + 2, first + 9, "", None)
            return
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
        elif not is_array and self._described(first) in (count, count - 1):
            self._objects(first, count)
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
                if self._tag == _VISIBLE and self._length > 8:
                    self._is_kamstrup = bytes(self._data[self._at : self._at + 8]) == b"Kamstrup"
                if not self._is_kamstrup or self._tag in (_ARRAY, _STRUCTURE):
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
            unit, exponent = "", None
            if self._is_kamstrup:
                unit, exponent = kamstrup(self._data[code + 2], self._data[code + 3])
            elif self._is_kaifa:
                unit, exponent = kaifa_scale(self._data[code + 2], self._data[code + 3])
            else:
                self._is_kaifa = self._is_kaifas(value)
            if i < count and self._is_scaler(at):
                unit, exponent = self._scaler(at)
                at = self._skip(at, depth)
                i += 1
            self._put(self._data, code, value, unit, exponent)

    def _is_scaler(self, at):
        """Return whether the item at `at` is a scaler and a unit: 02 02 0F scaler 16 unit."""
        data = self._data
        return at + 6 <= self._end and (
            data[at] == _STRUCTURE
            and data[at + 1] == 2
            and data[at + 2] == _INTEGER
            and data[at + 4] == 0x16
        )

    def _scaler(self, at):
        """Return (unit, exponent) of the scaler and unit at `at`."""
        exponent = self._data[at + 3]
        return cosem(self._data[at + 5]), exponent - 256 if exponent > 127 else exponent

    def _described(self, at):
        """Return how many objects the array at `at` lists: class, code, attribute ...; else -1."""
        at = self._item(at)
        if self._tag != _ARRAY or not self._length:
            return -1
        count = self._length
        for _ in range(count):
            item = self._item(at)
            if self._tag != _STRUCTURE or self._length < 3:
                return -1
            if self._data[item] != _LONG_UNSIGNED or not self._is_code(item + 3):
                return -1
            if self._at != item + 5 or self._data[item + 11] != _INTEGER:
                return -1
            at = self._skip(at, 1)
        return count

    def _objects(self, at, count):
        """Gather a push: its list of objects, then a value of each, the list's own apart."""
        listed = self._described(at)
        first = self._item(at)
        values = self._skip(at, 0)
        if listed == count:  # the list is its own first object
            first = self._skip(first, 0)
        item = first
        at = values
        for _ in range(count - 1):
            code = self._item(item) + 5
            attribute = self._data[code + 7]
            if attribute != 3 or not self._is_scaler(at):
                unit, exponent = self._scaler_of(code, first, values, count - 1)
                self._put(self._data, code, at, unit, exponent)
            item = self._skip(item, 0)
            at = self._skip(at, 0)

    def _scaler_of(self, code, item, at, count):
        """Return (unit, exponent) that a push gives for this code as attribute 3, if it does."""
        data = self._data
        for _ in range(count):
            other = self._item(item) + 5
            if data[other + 7] == 3 and self._is_scaler(at):
                if data[code : code + 6] == data[other : other + 6]:
                    return self._scaler(at)
            item = self._skip(item, 0)
            at = self._skip(at, 0)
        return "", None

    def _places(self, at, count):
        """Gather a list without codes: Kaifa's, known by its length and its name, or another."""
        columns = kaifa(count)
        self._item(at)
        is_kaifa = self._tag == 0x06 if count == 1 else self._is_kaifas(at)
        if not columns or not is_kaifa:
            for _ in range(count):
                self._put_place(at)
                at = self._skip(at, 0)
            return
        for code, unit, exponent in columns:
            self._put(obis_bytes(code), 0, at, unit, exponent)
            at = self._skip(at, 0)

    def _is_kaifas(self, at):
        """Return whether the item at `at` is the name of a Kaifa list: KFM_001."""
        at = self._item(at)
        is_text = self._tag in (_OCTETS, _VISIBLE) and self._length > 3
        return is_text and bytes(self._data[at : at + 4]) == b"KFM_"

    def _put_place(self, at):
        """Put the value at `at` that has no code, under its place."""
        self._place += 1
        if self._place < 256:
            self._place_key[1] = self._place
            self._put(self._place_key, 0, at, "", None)

    def _put(self, codes, code, at, unit, exponent):
        """Put the value at `at` under the OBIS code codes[code:code + 6], or under its place.

        exponent: None when the value came without scaler and unit.
        """
        gather = self.gather
        content = self._item(at)
        tag = self._tag
        length = self._length
        is_clock = length == 12 and tag in (_OCTETS, _DATE_TIME) and self._is_clock(content)
        is_place = codes is self._place_key
        if is_clock and gather.time is None and not is_place:
            gather.time = self._seconds(content)
        point = gather.find(codes, code, code + (2 if is_place else 6))
        if point == NOT_WANTED or gather.is_filled(point):
            return
        name = ""
        if point == NEW:
            name = "#%d" % self._place if is_place else obis_text(codes, code)
        elif exponent is None and self._bare[point] is not None:
            exponent = self._bare[point]
            unit = gather.points[point].unit
        exponent = exponent or 0
        if is_clock:
            gather.put(point, name, self._clock_text(content), 0, "", TEXT, None)
        elif tag in (_DATE, _TIME):
            text = self._date_text(content) if tag == _DATE else self._time_text(content)
            gather.put(point, name, text.encode(), 0, "", TEXT, None)
        elif tag == _BITS and point == NEW:
            gather.put(point, name, self._bits(at, content), 0, "", TEXT, None)
        elif tag in (_OCTETS, _VISIBLE, _UTF8, _DATE_TIME):
            text = bytes(self._data[content : content + length])
            gather.put(point, name, text, 0, "", TEXT, None)
        elif tag in (_ARRAY, _STRUCTURE, 0x00, 0xFF):
            gather.put(point, name, None, exponent, unit, GAUGE, None, UNAVAILABLE)
        else:
            value = 0
            for i in range(content, content + length):
                value = (value << 8) | self._data[i]
            if tag in (_FLOAT32, _FLOAT64):
                value, power = decimal(value, length)
                exponent += power
            elif tag in _SIGNED and value >> (8 * length - 1):
                value -= 1 << (8 * length)
            elif tag == _BCD:
                value = (value >> 4) * 10 + (value & 15)
            quality = UNAVAILABLE if value is None else GOOD
            gather.put(point, name, value, exponent, unit, GAUGE, None, quality)
