"""Traffic radars: vehicles counted, and their speeds summed up, on the device.

They speak unasked, once per vehicle. Sources: Icoms TMA-3B3 manual, p. 17 (encoded and ASCII
messages). Neither has a checksum: fields that cannot be are refused, a damaged speed may pass.

    "icoms"   02 99 | speed length 1/100 s min h day month counter 3 range 2 type century year | 03
              speed km/h, length dm, bit 7 of day: outgoing
    "lines"   TYP;DATETIME;SPEED;LENGTH CR LF, columns as the map's "columns" names them:
              "speed" (negative: outgoing), "length", "direction" (the map's "out" is outgoing), ""

A map has, beside its points, "frame" (one of the two) and "classes_dm": ascending lengths at
which a class ends; the last class has no end. Codes: "count" with ".in" or ".out" and with a
class behind it (".0"), in any mixture ("count.in.2"), "mean" and "p85", km/h, with a direction or
without. p85 is the least speed that 85 of 100 vehicles did not exceed.

The bus calls due() at each multiple of the meter's interval on the clock; a period that it did
not hear from its start gives nulls. Nobody passed: counts 0, speeds UNAVAILABLE.
"""

from micropython import const

from drivers.errors import BadFrame
from drivers.reading import KIND_NAMES, MISSING, STATE, UNAVAILABLE, Point, Reading

_STX = const(0x02)
_MARK = const(0x99)
_ETX = const(0x03)
_FRAME = const(19)
_LINE = const(64)
_SPEEDS = const(256)  # km/h
_DESK = {"frame": "icoms", "classes_dm": (), "points": ()}
_DESK_POINTS = (
    ("speed", "km/h", 0, 0, "speed"),
    ("length", "m", -1, 0, "length"),
    ("direction", "", 0, STATE, "direction"),
)
# Of the fields behind the mark, the most each can be, binary or BCD.
_MOST = b"\xff\xff\x99\x59\x59\x23\x31\x12"


def _meaning(code, classes):
    """Return (what, direction or -1, class or -1) of a point's code; ValueError when none."""
    what, direction, kind = code.split(".")[0], -1, -1
    for part in code.split(".")[1:]:
        if part in ("in", "out") and direction < 0:
            direction = 1 if part == "out" else 0
        elif part.isdigit() and kind < 0 and int(part) <= classes and what == "count":
            kind = int(part)
        else:
            raise ValueError("points: %s is no code of a radar" % code)
    if what not in ("count", "mean", "p85"):
        raise ValueError("points: %s is no code of a radar" % code)
    return what, direction, kind


class Radar:
    """One radar. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 100_000
    reply_ms = 60_000
    line = None

    def __init__(self, table, options):
        """table: a MAP as the module says, or None: each Icoms message; options: "points"."""
        about = table or _DESK
        self._is_desk = table is None
        self._is_text = options.get("frame", about["frame"]) == "lines"
        self._classes = tuple(options.get("classes_dm", about["classes_dm"]))
        for i in range(1, len(self._classes)):
            if self._classes[i] <= self._classes[i - 1]:
                raise ValueError("classes_dm: its lengths do not ascend")
        self._columns = tuple(about.get("columns", ("", "", "speed", "length")))
        self._out = str(about.get("out", "")).encode()
        rows = about["points"]
        names = options.get("points") or ()
        for name in names:
            if not any(row[0] == name for row in rows):
                raise ValueError("points: the map has no %s" % name)
        rows = [row for row in rows if not names or row[0] in names]
        self.points = tuple(
            Point(row[0], row[1], row[2], KIND_NAMES.index(row[3]), row[4]) for row in rows
        )
        self._meanings = tuple(_meaning(row[4], len(self._classes)) for row in rows)
        for i, row in enumerate(rows):
            if row[2] not in ((0, -1) if self._meanings[i][0] == "mean" else (0,)):
                raise ValueError("points: %s: its exponent is none that can be given" % row[0])
        points = tuple(Point(*row) for row in _DESK_POINTS) if self._is_desk else self.points
        self._reading = Reading(points)
        self._frame = bytearray(_LINE)
        kinds = len(self._classes) + 1
        self._counts = [0] * (2 * kinds)  # of each direction, of each class
        self._speeds = [0] * (2 * _SPEEDS)  # how many had this speed, of each direction
        self.reset()

    def request(self, out):
        """Return 0: the radar speaks by itself."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half message and the present period, which is no longer whole."""
        self._length = 0
        self._is_whole = False
        self._clear()

    def _clear(self):
        for i in range(len(self._counts)):
            self._counts[i] = 0
        for i in range(len(self._speeds)):
            self._speeds[i] = 0

    def due(self, now_ms, emit):
        """Emit what was counted since the last call, and begin again."""
        if self._is_desk:
            return
        reading = self._reading
        reading.at_ms = now_ms
        if self._is_whole:
            for i in range(len(self._meanings)):
                what, direction, kind = self._meanings[i]
                if what == "count":
                    reading.set(i, self._count(direction, kind))
                    continue
                total = self._count(direction, -1)
                if not total:
                    reading.set(i, None, UNAVAILABLE)
                elif what == "mean":
                    reading.set(i, self._mean(direction, total, -self.points[i].exponent))
                else:
                    reading.set(i, self._percentile(direction, total))
        else:
            reading.clear(MISSING)
        self._is_whole = True
        self._clear()
        emit(reading)

    def _count(self, direction, kind):
        kinds = len(self._classes) + 1
        total = 0
        for i in range(len(self._counts)):
            if direction in (-1, i // kinds) and kind in (-1, i % kinds):
                total += self._counts[i]
        return total

    def _at(self, speed, direction):
        """Return how many had this speed."""
        count = self._speeds[speed] if direction != 1 else 0
        return count + (self._speeds[_SPEEDS + speed] if direction != 0 else 0)

    def _mean(self, direction, total, decimals):
        """Return the mean speed with 0 or 1 decimals, halves up."""
        summed = 0
        for speed in range(_SPEEDS):
            summed += speed * self._at(speed, direction)
        return (summed * 10**decimals * 2 + total) // (2 * total)

    def _percentile(self, direction, total):
        """Return the least speed that at least 85 of 100 did not exceed."""
        seen = 0
        for speed in range(_SPEEDS):
            seen += self._at(speed, direction)
            if 100 * seen >= 85 * total:
                return speed
        return _SPEEDS - 1

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; count each vehicle. At a desk emit each."""
        if start == end:
            length = self._length
            self._length = 0
            if length:
                raise BadFrame("silence after %d bytes of a message" % length, end)
            return end
        for i in range(start, end):
            if self._is_text:
                self._take_text(data[i], i + 1, now_ms, emit)
            else:
                self._take(data[i], i + 1, now_ms, emit)
        return end

    def _take(self, byte, resume, now_ms, emit):
        """Take one byte of encoded messages."""
        frame = self._frame
        length = self._length
        if length == 0 and byte != _STX:
            return  # between messages
        frame[length] = byte
        length += 1
        self._length = length
        wrong = length == 2 and byte != _MARK
        if 2 < length <= 2 + len(_MOST):
            most = _MOST[length - 3]
            wrong = (byte & 0x7F if length == 9 else byte) > most
        if length == _FRAME:
            wrong = byte != _ETX
            if not wrong:
                self._length = 0
                self._vehicle(frame[2], frame[3], frame[8] >> 7, now_ms, emit)
        if wrong:
            at = 1
            while at < length and frame[at] != _STX:
                at += 1
            # What follows the next STX inside may be a message's start; its mark must follow too.
            if at < length - 1 and frame[at + 1] != _MARK:
                at = length
            for i in range(at, length):
                frame[i - at] = frame[i]
            self._length = length - at
            raise BadFrame("0x%02x at byte %d of a message" % (byte, length - 1), resume)

    def _take_text(self, byte, resume, now_ms, emit):
        """Take one byte of lines."""
        length = self._length
        if byte not in (0x0A, 0x0D):
            if length == _LINE:
                self._length = 0
                raise BadFrame("line longer than %d characters" % _LINE, resume)
            self._frame[length] = byte
            self._length = length + 1
            return
        self._length = 0
        if length:
            self._read_line(length, resume, now_ms, emit)

    def _read_line(self, length, resume, now_ms, emit):
        frame = self._frame
        columns = self._columns
        speed = -1
        size = 0
        is_out = 0
        column = 0
        start = 0
        for at in range(length + 1):
            if at < length and frame[at] != 0x3B:
                continue
            what = columns[column] if column < len(columns) else ""
            if what == "speed":
                if start < at and frame[start] == 0x2D:
                    is_out = 1
                    start += 1
                speed = self._number(start, at)
            elif what == "length":
                size = self._number(start, at)
            elif what == "direction" and self._out and at - start == len(self._out):
                is_out = 1
                for i in range(len(self._out)):
                    if frame[start + i] != self._out[i]:
                        is_out = 0
            column += 1
            start = at + 1
        if column != len(columns) or not 0 <= speed < _SPEEDS or size < 0:
            raise BadFrame("line of %d columns that is no vehicle" % column, resume)
        self._vehicle(speed, size, is_out, now_ms, emit)

    def _number(self, start, end):
        """Return the whole number in frame[start:end], blanks apart; -1 when it is none."""
        value = 0
        digits = 0
        for i in range(start, end):
            digit = self._frame[i] - 0x30
            if digit == -16:
                continue
            if not 0 <= digit <= 9 or digits == 4:
                return -1
            value = value * 10 + digit
            digits += 1
        return value if digits else -1

    def _vehicle(self, speed, length_dm, direction, now_ms, emit):
        if self._is_desk:
            reading = self._reading
            reading.at_ms = now_ms
            reading.set(0, speed)
            reading.set(1, length_dm)
            reading.set(2, direction)
            emit(reading)
            return
        kind = 0
        while kind < len(self._classes) and length_dm >= self._classes[kind]:
            kind += 1
        self._counts[direction * (len(self._classes) + 1) + kind] += 1
        self._speeds[direction * _SPEEDS + speed] += 1
