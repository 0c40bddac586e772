"""OBIS text: the data sets that IEC 62056-21 read-outs and DSMR telegrams are made of.

Not the framing: drivers/iec62056.py and drivers/dsmr.py own identification, checksums and ends.
Sources: IEC 62056-21:2002, 6.5 (data sets); DSMR P1 Companion Standard 5.0.2, 6.4; VDEW
Lastenheft "Elektronische Lastgangzaehler" 2.1.2 (P.01 load profile, P.98 log book).

    1-0:1.8.1(000034.034*kWh)                           code ( value * unit )
    0-1:24.2.1(200512134558S)(00112.384*m3)             time of the value, then the value
    9.4(088*C&082*C)                                    two values of one code (heat meters)
    P.01(1220823161500)(00)(15)(2)(1.5)(kW)(2.5)(kW)    profile: start, status, minutes, columns
    (0.18374)(0.00078)                                  one row of it

The code of a map's point: as the meter writes it ("*255" may be left out), and "[1]" behind it
for the second value of the data set, "[2]" for the third. The sixth column of a row, if any, is
the unit of a value that the meter sends without one.
"""

from micropython import const

from drivers.civil import is_eu_summer, utc_seconds
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.reading import GAUGE, GOOD, TEXT, UNAVAILABLE
from drivers.units import known

_COLUMNS = const(16)  # of a load profile
_DIGITS = const(36)  # of a number; more is text

_LF = const(0x0A)
_CR = const(0x0D)
_OPEN = const(0x28)
_CLOSE = const(0x29)
_STAR = const(0x2A)
_AND = const(0x26)
_POINT = const(0x2E)


def _key(text):
    """Return the bytes by which a map's code is found: the code, 0xFF, which value of it."""
    code, bracket, nth = text.partition("[")
    if not code or (bracket and not (nth.endswith("]") and nth[:-1].isdigit())):
        raise ValueError("%s is no code such as 1-0:1.8.1 or 9.4[1]" % text)
    if code.endswith("*255"):
        code = code[:-4]
    return code.encode() + bytes((0xFF, int(nth[:-1]) if nth else 0))


class Text:
    """Reads the data sets of one checked text into a Gather.

    Options: "utc_offset_min", how far the meter's winter time is ahead of UTC, in minutes
    (default 60, central Europe).
    """

    def __init__(self, table, options):
        self.gather = Gather(table, options, _key)
        self._wire_units = tuple(row[5] if len(row) > 5 else "" for row in self.gather.rows)
        self._offset_min = options.get("utc_offset_min", 60)
        if not -720 <= self._offset_min <= 840:
            raise ValueError("utc_offset_min: %d is no time zone" % self._offset_min)
        self._key = bytearray(34)  # code, 0xFF, which value: as _key() makes it
        self._data = b""
        # The data set: its code, the values taken so far, and a time that waits for its value.
        self._code = 0
        self._code_end = 0
        self._nth = 0
        self._group = 0
        self._time = None
        self._time_start = 0
        self._time_end = 0
        # A load profile: place of each column's code and unit, and the row's time.
        self._columns = [0] * (4 * _COLUMNS)
        self._is_profile = False
        self._count = 0
        self._step_s = 0
        self._row_time = None
        # What _number() leaves
        self._value = 0
        self._exponent = 0

    def read(self, data, start, end):
        """Gather the data sets in data[start:end]; ValueError where the text is malformed.

        The caller calls gather.start() before and gather.finish() after. At a desk what is behind
        a malformed line is read before the error is raised.
        """
        self._data = data
        self._code_end = self._code = start
        fault = None
        at = start
        while at < end:
            try:
                at = self._field(at, start, end)
            except ValueError as why:
                if not self.gather.is_open:
                    raise
                fault = fault or why
                while at < end and data[at] != _LF:
                    at += 1
                self._code_end = self._code = at
        self._finish_set()
        if fault:
            raise fault

    def _field(self, at, start, end):
        """Take the line end, code or value at `at`; return the place behind it."""
        data = self._data
        byte = data[at]
        if byte in (_CR, _LF, 0x20):
            return at + 1
        if byte == _OPEN:
            close = at + 1
            while close < end and data[close] != _CLOSE:
                if data[close] < 0x20 or data[close] == _OPEN:
                    raise ValueError("value at byte %d has no end" % (at - start))
                close += 1
            if close == end or self._code == self._code_end:
                raise ValueError("value at byte %d has no end or no code" % (at - start))
            self._take(at + 1, close)
            return close + 1
        self._finish_set()
        self._code = at
        while at < end and data[at] != _OPEN:
            if data[at] <= 0x20 or data[at] == _CLOSE or data[at] > 0x7E:
                raise ValueError("code at byte %d" % (self._code - start))
            at += 1
        self._code_end = at
        if at == end or at - self._code > 32:
            raise ValueError("code at byte %d has no value" % (self._code - start))
        self._nth = 0
        self._group = 0
        self._count = 0
        self._is_profile = self._starts(b"P.") or self._ends(b"24.3.0")
        return at

    def _starts(self, what):
        """Return whether the code begins with these bytes."""
        if self._code_end - self._code < len(what):
            return False
        for i in range(len(what)):
            if self._data[self._code + i] != what[i]:
                return False
        return True

    def _ends(self, what):
        """Return whether the code ends with these bytes, at the start of a field."""
        at = self._code_end - len(what)
        if at < self._code or (at > self._code and self._data[at - 1] not in b":."):
            return False
        for i in range(len(what)):
            if self._data[at + i] != what[i]:
                return False
        return True

    def _finish_set(self):
        """Give a time that no value followed as the text it is."""
        if self._time is not None:
            if self._ends(b"1.0.0"):
                self.gather.time = self._time
            self._put_text(self._time_start, self._time_end, self._time)
            self._time = None

    def _take(self, start, end):
        """Take the group between two parentheses."""
        group = self._group
        self._group += 1
        if self._is_profile:
            self._take_profile(group, start, end)
            return
        time = self._stamp(start, end)
        if time is not None:
            if self._time is not None:
                self._put_text(self._time_start, self._time_end, self._time)
            self._time = time
            self._time_start = start
            self._time_end = end
            return
        time = self._time
        self._time = None
        self._put_group(self._code, self._code_end, start, end, time)

    def _put_group(self, code, code_end, start, end, time):
        """Put `value*unit`, `value*unit&value*unit` or a text."""
        data = self._data
        star = self._find(_STAR, start, end)
        if star == end:
            self._put(code, code_end, start, end, end, end, time)
            return
        while start < end:
            stop = self._find(_AND, start, end)
            star = self._find(_STAR, start, stop)
            self._put(code, code_end, start, star, min(star + 1, stop), stop, time)
            start = stop + 1
        if data[end - 1] == _AND:
            self._put(code, code_end, end, end, end, end, time)

    def _find(self, byte, start, end):
        """Return the first place of byte in start..end, end when it is not there."""
        data = self._data
        while start < end and data[start] != byte:
            start += 1
        return start

    def _put(self, code, code_end, start, end, unit, unit_end, time):
        """Put one value: data[start:end], its unit data[unit:unit_end], perhaps empty."""
        gather = self.gather
        at = self._find_point(code, code_end)
        self._nth += 1
        if at == NOT_WANTED:
            return
        is_number = self._number(start, end)
        has_unit = unit < unit_end
        if at == NEW:
            text = str(bytes(self._data[code:code_end]), "ascii")
            unit_text = known(self._data, unit, unit_end) if has_unit else ""
            # Without a unit and without decimals it may be an identity: kept as it was sent.
            if is_number and (has_unit or self._exponent):
                gather.put(at, text, self._value, self._exponent, unit_text, GAUGE, time)
            else:
                gather.put(at, text, bytes(self._data[start:end]), 0, unit_text, TEXT, time)
        elif gather.points[at].kind == TEXT:
            gather.put(at, "", bytes(self._data[start:end]), 0, "", TEXT, time)
        elif not is_number:
            gather.put(at, "", None, 0, gather.points[at].unit, GAUGE, time, UNAVAILABLE)
        else:
            wire_unit = self._wire_units[at] or gather.points[at].unit
            if has_unit:
                wire_unit = known(self._data, unit, unit_end)
            gather.put(at, "", self._value, self._exponent, wire_unit, GAUGE, time, GOOD)
        if self._ends(b"9.36") and time is None:
            self.gather.time = self._date_and_time(start, end)

    def _put_text(self, start, end, time):
        """Put data[start:end] of the present code as text."""
        at = self._find_point(self._code, self._code_end)
        self._nth += 1
        if at != NOT_WANTED:
            code = str(bytes(self._data[self._code : self._code_end]), "ascii")
            self.gather.put(at, code, bytes(self._data[start:end]), 0, "", TEXT, time)

    def _find_point(self, code, code_end):
        """Return the point of the nth value of this code, as Gather.find() does."""
        if self.gather.is_open:
            return NEW
        data = self._data
        key = self._key
        length = code_end - code
        if length > 4 and data[code_end - 4] == _STAR:
            if data[code_end - 3] == 0x32 and data[code_end - 2] == 0x35:
                if data[code_end - 1] == 0x35:
                    length -= 4
        for i in range(length):
            key[i] = data[code + i]
        key[length] = 0xFF
        key[length + 1] = min(self._nth, 255)
        at = self.gather.find(key, 0, length + 2)
        return NOT_WANTED if self.gather.is_filled(at) else at

    def _number(self, start, end):
        """Read a decimal such as 0029.055, +000.8 or "  80"; False when it is none."""
        data = self._data
        while start < end and data[start] == 0x20:
            start += 1
        while end > start and data[end - 1] == 0x20:
            end -= 1
        is_negative = start < end and data[start] == 0x2D
        if start < end and data[start] in b"+-":
            start += 1
        value = 0
        decimals = -1
        if not 0 < end - start <= _DIGITS:
            return False
        for i in range(start, end):
            digit = data[i] - 0x30
            if 0 <= digit <= 9:
                value = value * 10 + digit
                if decimals >= 0:
                    decimals += 1
            elif data[i] in b".," and decimals < 0 and end - start > 1:
                decimals = 0
            else:
                return False
        self._value = -value if is_negative else value
        self._exponent = -decimals if decimals > 0 else 0
        return True

    def _two(self, at):
        """Return the two digits at `at`, -1 when they are none."""
        tens = self._data[at] - 0x30
        ones = self._data[at + 1] - 0x30
        return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -1

    def _stamp(self, start, end):
        """Return seconds since 1970 of YYMMDDhhmmss with S (summer), W (winter), or None.

        The unmarked twelve digits of DSMR 2.2 are recognised in a profile only; elsewhere
        they may be an identity.
        """
        if end - start != 13 or self._data[end - 1] not in b"SW":
            return None
        return self._local(start, 1 if self._data[end - 1] == 0x53 else 0)

    def _local(self, start, season):
        """Return seconds of YYMMDDhhmmss at start. season: 0 winter, 1 summer, 2 UTC, -1 guess."""
        year = self._two(start)
        month = self._two(start + 2)
        day = self._two(start + 4)
        hour = self._two(start + 6)
        minute = self._two(start + 8)
        second = self._two(start + 10)
        if year < 0 or month < 0 or day < 0 or hour < 0 or minute < 0 or second < 0:
            return None
        if season < 0:
            season = 1 if is_eu_summer(2000 + year, month, day, hour) else 0
        offset_min = 0 if season == 2 else self._offset_min + 60 * season
        return utc_seconds(2000 + year, month, day, hour, minute, second, offset_min)

    def _date_and_time(self, start, end):
        """Return seconds of `2017-01-18&01:36:47`, local time of the meter, or None."""
        if end - start != 19 or self._data[start + 10] != _AND:
            return None
        year = self._two(start + 2)
        month = self._two(start + 5)
        day = self._two(start + 8)
        hour = self._two(start + 11)
        minute = self._two(start + 14)
        second = self._two(start + 17)
        if year < 0 or month < 0 or day < 0 or hour < 0 or minute < 0 or second < 0:
            return None
        return utc_seconds(2000 + year, month, day, hour, minute, second, self._offset_min)

    def _take_profile(self, group, start, end):
        """Take a group of P.nn or of DSMR 2.2's 24.3.0.

        0 time of the first row, 1 status, 2 minutes per row, 3 columns n, then n times code
        and unit, then rows of n values. A log book (P.98) has no minutes: its rows share a time.
        """
        if group == 0:
            self._row_time = None
            if end - start == 13:  # VDEW: season 0, 1 or 2 (UTC) leads
                self._row_time = self._local(start + 1, self._data[start] - 0x30)
            elif end - start == 12:
                self._row_time = self._local(start, -1)
        elif group == 1:
            if self._starts(b"P."):
                self._put_text(start, end, self._row_time)
        elif group == 2:
            self._step_s = self._value * 60 if self._number(start, end) else 0
        elif group == 3:
            self._count = self._value if self._number(start, end) else 0
            if not 0 <= self._count <= _COLUMNS:
                raise ValueError("profile of %d columns, at most %d" % (self._count, _COLUMNS))
        elif group < 4 + 2 * self._count:
            at = 2 * (group - 4)
            self._columns[at] = start
            self._columns[at + 1] = end
        elif self._count:
            column = (group - 4) % self._count
            row = (group - 4) // self._count - 2
            at = 4 * column
            columns = self._columns
            time = self._row_time
            if time is not None:
                time += row * self._step_s
            code, code_end = columns[at], columns[at + 1]
            if not self._starts(b"P."):
                code, code_end = self._code, self._code_end
            self._nth = 0
            self._put(code, code_end, start, end, columns[at + 2], columns[at + 3], time)
