"""What a frame holds, put where it belongs: the points of a map, or new points at a desk.

Not a parser: each driver walks its own frame and hands over value after value. Used by the
drivers whose frames name their own values (OBIS, M-Bus records), which so share one way of
choosing points, scaling and dealing with units.

    gather = Gather(table, options, encode)        # encode: code text of the map -> bytes key
    gather.start()
    at = gather.find(frame, 4, 10)                 # NOT_WANTED, NEW, or the index of a point
    if at != NOT_WANTED:
        code = text_of(frame, 4, 10) if at == NEW else ""
        gather.put(at, code, 2304, -1, "V", GAUGE, None)
    emit(gather.finish(now_ms))
"""

from micropython import const

from drivers.reading import GOOD, KIND_NAMES, MISSING, OVERFLOW, TEXT, UNAVAILABLE, Point, Reading

NOT_WANTED = const(-1)  # the map has no point for this code
NEW = const(-2)  # there is no map: every value makes its point
_POWER = const(40)  # of ten; a text of 36 digits may have 35 decimals


def rescale(value, exponent, wanted):
    """Return value * 10**exponent as an integer times 10**wanted, halves rounded away from 0."""
    shift = exponent - wanted
    if shift >= 0:
        return value * 10**shift if shift else value
    divisor = 10**-shift
    half = divisor >> 1
    return -((half - value) // divisor) if value < 0 else (value + half) // divisor


class Gather:
    """Collects the values of one frame into a Reading.

    points  tuple of Point, () without a map
    rows    the map's rows of these points, for columns that only one protocol knows
    """

    def __init__(self, table, options, encode):
        """Choose the points; options["points"] restricts them by name, empty means all.

        encode(text) returns the bytes by which find() knows a code, and raises ValueError for
        a code that cannot be.
        """
        self.is_open = table is None
        rows = [] if table is None else list(table["points"])
        names = options.get("points") or ()
        for name in names:
            if table is not None and not any(row[0] == name for row in rows):
                raise ValueError("points: the map has no %s" % name)
        if names:
            rows = [row for row in rows if row[0] in names]
        self.rows = tuple(rows)
        self.points = tuple(
            Point(row[0], row[1], row[2], KIND_NAMES.index(row[3]), row[4]) for row in rows
        )
        self._keys = tuple(encode(row[4]) for row in rows)
        self._reading = Reading(self.points)
        self._times = [None] * len(rows)
        self._reading.times = self._times
        self._found = []  # without a map: (Point, value, quality, time) in the frame's order
        self.found = 0
        self.time = None  # the frame's own time, for values that have none of their own

    def start(self):
        """Begin a frame: nothing found, no time."""
        self.found = 0
        self.time = None
        if self.is_open:
            self._found = []
            return
        self._reading.clear(MISSING)
        times = self._times
        for i in range(len(times)):
            times[i] = None

    def find(self, data, start, end, after=-1):
        """Return the index of the first point after `after` whose key is data[start:end].

        NEW when there is no map, NOT_WANTED when the map does not have the code.
        """
        if self.is_open:
            return NEW if after < 0 else NOT_WANTED
        length = end - start
        keys = self._keys
        for i in range(after + 1, len(keys)):
            key = keys[i]
            if len(key) == length:
                at = 0
                while at < length and key[at] == data[start + at]:
                    at += 1
                if at == length:
                    return i
        return NOT_WANTED

    def is_filled(self, at):
        """Return whether the point at this index got something in this frame already."""
        return at >= 0 and self._reading.quality[at] != MISSING

    def put(self, at, code, value, exponent, unit, kind, time, quality=GOOD, name=""):
        """Take one value.

        at        what find() returned, but not NOT_WANTED
        code      the text of the code; looked at only when at is NEW
        value     int, bytes (kind TEXT), or None with the quality that says why
        exponent  of ten, as the frame has it: the value stays exact without a map
        unit      as the frame has it, "" for none
        time      seconds since 1970 UTC of this value, or None
        name      of the point that a NEW value makes, its code where the protocol has no names

        With a map a number is turned into the point's unit and resolution; one in a unit that
        cannot be turned into the point's leaves the point MISSING: the map is for another meter.
        A power of ten that no meter means (a damaged or a nonsensical scaler) gives OVERFLOW.
        """
        self.found += 1
        if not -_POWER <= exponent <= _POWER:
            value = None
            quality = OVERFLOW
            exponent = 0
        if at == NEW:
            point = Point(name or code, unit, exponent, kind, code)
            self._found.append((point, value, quality, time))
            return
        point = self.points[at]
        if point.kind == TEXT:
            if kind != TEXT:
                return
        elif kind == TEXT:
            value = None
            quality = UNAVAILABLE
        elif value is not None:
            power = 0
            if unit != point.unit:
                from drivers.units import relation  # 5 KB that a map with the wire's units saves

                power = relation(unit, point.unit)
            if power is None:
                return
            if exponent + power != point.exponent:
                value = rescale(value, exponent + power, point.exponent)
        self._reading.set(at, value, quality)
        self._times[at] = time

    def finish(self, now_ms):
        """Return the Reading of the frame, valid until the next start()."""
        reading = self._reading
        times = self._times
        if self.is_open:
            reading = Reading([found[0] for found in self._found])
            times = [found[3] for found in self._found]
            reading.times = times
            for i, found in enumerate(self._found):
                reading.set(i, found[1], found[2])
        reading.at_ms = now_ms
        if self.time is not None:
            for i in range(len(times)):
                if times[i] is None:
                    times[i] = self.time
        return reading
