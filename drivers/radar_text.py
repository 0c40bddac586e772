"""What the lines of a traffic radar say: columns, a bare speed, or JSON.

Not what becomes of it (drivers/radar.py). Sources: Icoms TMA-3B3 manual, p. 17; Houston Radar
DR500 manual, p. 6; OmniPreSense OPS242 manual, p. 8, and AN-010.

    TYP;DATETIME;SPEED;LENGTH                          "lines"
    045   +045   -045   ?000                           "speed": no sign or +: coming
    {"speed":0.58, "direction":"inbound", ...}         "json": a speed below 0 is outgoing, too
    "mps",0.58   0.58   -0.58                          the same radars without JSON
"""

from micropython import const

_QUOTE = const(0x22)
_MINUS = const(0x2D)
_PLUS = const(0x2B)
_POINT = const(0x2E)
_QUESTION = const(0x3F)
_COMMA = const(0x2C)
_SEMICOLON = const(0x3B)
_BRACE = const(0x7B)
# A speed's unit: its name here, as it may be written
UNITS = (("m/s", b"mps"), ("m/s", b"m/s"), ("km/h", b"kmph"), ("km/h", b"km/h"), ("mi/h", b"mph"))


class Line:
    """What the last line said; read() fills it."""

    def __init__(self, columns, out):
        """columns: what each of "lines" holds; out: the text of its direction that is outgoing."""
        self._columns = columns
        self._direction = out
        self._text = b""
        self.value = 0  # the speed as it was sent: value * 10 ** exponent
        self.exponent = 0
        self.digits = 0  # of the speed
        self.unit = ""  # "" where the line does not say
        self.length_dm = 0
        self.is_out = 0

    def read(self, text, end):
        """Read text[:end]; return whether it is one of these lines, with a speed."""
        self._text = text
        self.value = self.exponent = self.length_dm = self.is_out = 0
        self.unit = ""
        semicolons = 0
        for i in range(end):
            if not 0x20 <= text[i] <= 0x7E:
                return False
            semicolons += text[i] == _SEMICOLON
        if text[0] == _BRACE:
            return self._json(end)
        if semicolons:
            return self._lines(end)
        start = 0
        if text[0] == _QUOTE:  # "mps",0.58
            start = self._find(_COMMA, 0, end) + 1
            if start > end or not self._is_unit(0, start - 1):
                return False
        elif text[0] == _QUESTION:
            start = 1
        return self._speed(start, end)

    def _find(self, byte, start, end):
        """Return the first place of byte in start..end, end when it is not there."""
        text = self._text
        while start < end and text[start] != byte:
            start += 1
        return start

    def _is(self, start, end, word):
        """Return whether the text between, without quotes and blanks, is this word."""
        text = self._text
        while start < end and text[start] in b' "':
            start += 1
        while start < end and text[end - 1] in b' "}':
            end -= 1
        if end - start != len(word):
            return False
        for i in range(end - start):
            if text[start + i] != word[i]:
                return False
        return True

    def _is_unit(self, start, end):
        """Take a unit; return whether it is known."""
        for name, word in UNITS:
            if self._is(start, end, word):
                self.unit = name
                return True
        return False

    def _number(self, start, end):
        """Return the whole number in text[start:end], blanks apart; -1 when it is none."""
        value = 0
        digits = 0
        for i in range(start, end):
            digit = self._text[i] - 0x30
            if digit == -16:
                continue
            if not 0 <= digit <= 9 or digits == 4:
                return -1
            value = value * 10 + digit
            digits += 1
        return value if digits else -1

    def _speed(self, start, end):
        """Take the speed in text[start:end], perhaps with a sign, decimals, quotes."""
        text = self._text
        while start < end and text[start] in b' "':
            start += 1
        while start < end and text[end - 1] in b' "}':
            end -= 1
        if start < end and text[start] in (_MINUS, _PLUS):
            self.is_out = 1 if text[start] == _MINUS else self.is_out
            start += 1
        value = digits = exponent = 0
        point = False
        for i in range(start, end):
            if text[i] == _POINT and not point and digits:
                point = True
            elif 0x30 <= text[i] <= 0x39 and digits < 6:
                value = value * 10 + text[i] - 0x30
                digits += 1
                exponent -= point
            else:
                return False
        self.value = value
        self.exponent = exponent
        self.digits = digits
        return digits > 0

    def _lines(self, end):
        """Take columns."""
        text = self._text
        columns = self._columns
        column = start = 0
        speed = -1
        for at in range(end + 1):
            if at < end and text[at] != _SEMICOLON:
                continue
            what = columns[column] if column < len(columns) else ""
            if what == "speed":
                if start < at and text[start] == _MINUS:
                    self.is_out = 1
                    start += 1
                speed = self._number(start, at)
            elif what == "length":
                self.length_dm = self._number(start, at)
            elif what == "direction" and self._direction:
                if self._is(start, at, self._direction):
                    self.is_out = 1
            column += 1
            start = at + 1
        self.value = speed
        return column == len(columns) and speed >= 0 and self.length_dm >= 0

    def _json(self, end):
        """Take an object of one level: "speed", "direction", "unit"; others are passed over."""
        text = self._text
        if text[end - 1] != 0x7D:
            return False
        has_speed = False
        start = 1
        while start < end - 1:
            stop = self._find(_COMMA, start, end)
            colon = self._find(0x3A, start, stop)
            if colon == stop:
                return False
            if self._is(start, colon, b"speed"):
                has_speed = self._speed(colon + 1, stop)
                if not has_speed:
                    return False
            elif self._is(start, colon, b"direction"):
                if self._is(colon + 1, stop, b"outbound"):
                    self.is_out = 1
                elif not self._is(colon + 1, stop, b"inbound"):
                    return False
            elif self._is(start, colon, b"unit") or self._is(start, colon, b"units"):
                if not self._is_unit(colon + 1, stop):
                    return False
            start = stop + 1
        return has_speed
