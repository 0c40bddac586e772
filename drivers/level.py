"""Distance sensors on a serial line: how far down the surface of a container, a tank, a river is.

They speak unasked. Not here: sensors on Modbus (a map for drivers/modbus.py does). Sources:
DFRobot SEN0311/SEN0312 (A02YYUW, ME007YS), SEN0313 (A01NYUB), SEN0627; MaxBotix PD11500.

    "ff"    FF  high  low  sum          sum of the first three bytes; distance in the map's unit
    "R"     "R" digits CR               three to five digits

A map has, beside its points: "frame" (one of the two), "step_um" (what one count is, micrometres:
1000, 10000, 25400), "least" (counts below it are the sensor's blind zone) and "none" (the count
that says that no target was seen, or None). Codes: "distance", and "level", which is 0 at the
meter's option "empty_mm" (the distance that the sensor shows over an empty container) and 1 at
"full_mm"; without these options the map's "level" is left out.
"""

from micropython import const

from drivers.errors import BadFrame
from drivers.gather import rescale
from drivers.reading import GAUGE, KIND_NAMES, UNAVAILABLE, Point, Reading

_HEAD = const(0xFF)
_R = const(0x52)
_CR = const(0x0D)
_FRAME = const(4)
_DESK = {"frame": "", "step_um": 1000, "least": 30, "none": None}


class Level:
    """One sensor. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 50_000  # a frame lasts 4 ms, the sensors pause 100 to 300 ms
    reply_ms = 2_000
    line = None

    def __init__(self, table, options):
        """table: a MAP as the module says; None: a desk, which takes both frames."""
        has_depth = "empty_mm" in options or "full_mm" in options
        rows = (("distance", "m", -3, "gauge", "distance"),)
        if table is not None:
            rows = table["points"]
        names = options.get("points") or ()
        if names and not has_depth:
            for row in rows:
                if row[4] == "level" and row[0] in names:
                    raise ValueError("%s: needs options empty_mm and full_mm" % row[0])
        self._empty_mm = options.get("empty_mm", 0)
        self._full_mm = options.get("full_mm", 0)
        if has_depth and not 0 <= self._full_mm < self._empty_mm:
            raise ValueError(
                "empty_mm, full_mm: %d and %d, but an empty container is farther than a full one"
                % (self._empty_mm, self._full_mm)
            )
        for name in names:
            if not any(row[0] == name for row in rows):
                raise ValueError("points: the map has no %s" % name)
        self.points = tuple(
            Point(row[0], row[1], row[2], KIND_NAMES.index(row[3]), row[4])
            for row in rows
            if (not names or row[0] in names) and (has_depth or row[4] != "level")
        )
        for point in self.points:
            if point.code not in ("distance", "level") or point.kind != GAUGE:
                raise ValueError("points: %s is no distance and no level" % point.name)
        about = table or _DESK
        frame = options.get("frame", about["frame"])
        self._is_either = not frame  # at a desk: as the first byte says
        self._is_text = frame == "R"
        self._step_um = options.get("step_um", about["step_um"])
        self._least = options.get("least", about["least"])
        self._none = options.get("none", about["none"])
        self._frame = bytearray(_FRAME)
        self._reading = Reading(self.points)
        self.reset()

    def request(self, out):
        """Return 0: the sensor speaks by itself."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half frame."""
        self._length = 0
        self._count = 0

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each frame."""
        if start == end:
            length = self._length
            self.reset()
            if length:
                raise BadFrame("silence after %d bytes of a frame" % length, end)
            return end
        if self._is_text:
            return self._feed_text(data, start, end, now_ms, emit)
        frame = self._frame
        for i in range(start, end):
            byte = data[i]
            if self._is_either and self._length == 0 and byte == _R:
                self._is_text = True
                return self._feed_text(data, i, end, now_ms, emit)
            if self._length == 0 and byte != _HEAD:
                continue  # between frames
            frame[self._length] = byte
            self._length += 1
            if self._length == _FRAME:
                total = (frame[0] + frame[1] + frame[2]) & 0xFF
                if total != frame[3]:
                    found = frame[3]
                    self._again()
                    raise BadFrame("sum 0x%02x, computed 0x%02x" % (found, total), i + 1)
                self._length = 0
                self._emit(frame[1] << 8 | frame[2], now_ms, emit)
        return end

    def _again(self):
        """Begin a frame at the next head inside the damaged one."""
        frame = self._frame
        at = 1
        while at < _FRAME and frame[at] != _HEAD:
            at += 1
        for i in range(at, _FRAME):
            frame[i - at] = frame[i]
        self._length = _FRAME - at

    def _feed_text(self, data, start, end, now_ms, emit):
        for i in range(start, end):
            byte = data[i]
            length = self._length
            if byte == _R:
                self._length = 1
                self._count = 0
                if length:
                    raise BadFrame("frame cut after %d characters" % length, i + 1)
            elif length == 0:
                if self._is_either and byte == _HEAD:
                    self._is_text = False
                    return self.feed(data, i, end, now_ms, emit)
            elif 0x30 <= byte <= 0x39 and length < 6:
                self._count = self._count * 10 + byte - 0x30
                self._length += 1
            else:
                self._length = 0
                if byte != _CR or length < 4:
                    raise BadFrame("0x%02x after %d characters" % (byte, length), i + 1)
                if self._is_either and length == 4:
                    self._emit_bare(now_ms, emit)
                else:
                    self._emit(self._count, now_ms, emit)
        return end

    def _emit_bare(self, now_ms, emit):
        """At a desk: three digits are inches of one sensor and centimetres of another."""
        reading = Reading((Point("distance", "", 0, GAUGE, "distance"),))
        reading.at_ms = now_ms
        reading.set(0, self._count)
        emit(reading)

    def _emit(self, count, now_ms, emit):
        reading = self._reading
        reading.at_ms = now_ms
        if count < self._least or count == self._none:
            reading.clear(UNAVAILABLE)
        else:
            distance_um = count * self._step_um
            points = self.points
            for i in range(len(points)):
                exponent = points[i].exponent
                if points[i].code == "distance":
                    reading.set(i, rescale(distance_um, -6, exponent))
                else:
                    reading.set(i, rescale(self._permille(distance_um), -3, exponent))
        emit(reading)

    def _permille(self, distance_um):
        """Return how full it is, 0 .. 1000, nearest; in steps of 0.1 mm: stays a small int."""
        depth = (self._empty_mm - self._full_mm) * 10
        filled = self._empty_mm * 10 - distance_um // 100
        return (min(max(filled, 0), depth) * 1000 + depth // 2) // depth
