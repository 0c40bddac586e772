"""Traffic radars: vehicles counted, and their speeds summed up, on the device.

They speak unasked. Not here: lines (drivers/radar_text.py), sums (drivers/radar_traffic.py).
Sources: Icoms TMA-3B3 manual, p. 17; Houston Radar DR500 manual, p. 6; OmniPreSense OPS242 manual,
p. 8. None has a checksum: fields that cannot be are refused, a damaged speed may pass.

    "icoms"   02 99 | speed length 1/100 s min h day month counter 3 range 2 type century year | 03
              speed km/h, length dm, bit 7 of day: outgoing; one message per vehicle
    "lines"   TYP;DATETIME;SPEED;LENGTH CR LF, columns as the map's "columns" names them:
              "speed" (negative: outgoing), "length", "direction" (the map's "out" is outgoing), ""
    "speed"   045 CR LF ... 000 CR LF      Houston: its speed as long as a vehicle is seen, then 0
    "json"    {"speed":0.58, "direction":"inbound"} CR LF      OmniPreSense: likewise, no 0

With "speed" and "json" a vehicle is what lies between two pauses of "pass_ms", zeros or changes of
the direction, its speed the highest; two that follow each other without a pause are one. It
belongs to the period in which it ends.

A map has, beside its points, "frame" (one of these) and "classes_dm": ascending lengths at which a
class ends; the last class has no end. "unit": of speeds whose line does not say ("km/h", "m/s",
"mi/h"), "least": km/h below which something is no vehicle. Codes: "count" with ".in" or ".out" and
with a class behind it (".0"), in any mixture ("count.in.2"), "mean" and "p85", km/h, with a
direction or without. p85 is the least speed that 85 of 100 vehicles did not exceed.

The bus calls due() at each multiple of the meter's interval on the clock; a period that it did
not hear from its start gives nulls. Nobody passed: counts 0, speeds UNAVAILABLE. At a desk each
message is given as it was sent, whatever its frame.
"""

from micropython import const

from drivers.errors import BadFrame
from drivers.radar_traffic import SPEEDS, Traffic
from drivers.reading import KIND_NAMES, MISSING, STATE, Point, Reading
from drivers.ticks import ticks_diff

_STX = const(0x02)
_MARK = const(0x99)
_ETX = const(0x03)
_FRAME = const(19)
_LINE = const(160)
_DESK = {"frame": "", "classes_dm": (), "points": ()}
_FRAMES = ("icoms", "lines", "speed", "json")
# Of the fields behind the mark, the most each can be, binary or BCD.
_MOST = b"\xff\xff\x99\x59\x59\x23\x31\x12"
# Ten-thousandths of km/h in a unit: small integers on a 32-bit board.
_SCALES = {"km/h": 10_000, "m/s": 36_000, "mi/h": 16_093}


def _new_line(is_wanted, columns, out):
    """Return a reader of lines or None; its module is imported only when wanted, to save RAM."""
    if not is_wanted:
        return None
    from drivers.radar_text import Line

    return Line(columns, out)


class Radar:
    """One radar. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 100_000
    reply_ms = 60_000
    line = None

    def __init__(self, table, options):
        """table: a MAP as the module says, or None: each message; options: "points", a map's."""
        about = table or _DESK
        self._is_desk = table is None
        frame = options.get("frame", about["frame"])
        if frame not in _FRAMES and not self._is_desk:
            raise ValueError("frame: %s is none of %s" % (frame, ", ".join(_FRAMES)))
        self._is_text = frame != "icoms"
        self._is_stream = frame in ("speed", "json")
        self._is_bare = frame == "speed"
        self._unit = options.get("unit", about.get("unit", "km/h"))
        if self._unit not in _SCALES:
            raise ValueError("unit: %s is none of km/h, m/s, mi/h" % self._unit)
        self._least = options.get("least", about.get("least", 0))
        self._pass_ms = options.get("pass_ms", about.get("pass_ms", 1000))
        if not 100 <= self._pass_ms <= 10_000:
            raise ValueError("pass_ms: %d is not 100 .. 10000" % self._pass_ms)
        if self._is_stream:
            self.gap_us = 1000 * self._pass_ms
        columns = tuple(about.get("columns", ("", "", "speed", "length")))
        self._text = _new_line(self._is_text, columns, str(about.get("out", "")).encode())
        rows = about["points"]
        names = options.get("points") or ()
        for name in names:
            if not any(row[0] == name for row in rows):
                raise ValueError("points: the map has no %s" % name)
        rows = [row for row in rows if not names or row[0] in names]
        self.points = tuple(
            Point(row[0], row[1], row[2], KIND_NAMES.index(row[3]), row[4]) for row in rows
        )
        self._traffic = Traffic(self.points, options.get("classes_dm", about["classes_dm"]))
        self._reading = Reading(self.points)
        self._frame = bytearray(_LINE)
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
        self._fastest = -1  # of the vehicle that is passing, km/h
        self._direction = 0
        self._seen_ms = 0
        self._traffic.clear()

    def due(self, now_ms, emit):
        """Emit what was counted since the last call, and begin again."""
        if self._is_desk:
            return
        if ticks_diff(now_ms, self._seen_ms) >= self._pass_ms:
            self._end_pass()
        reading = self._reading
        reading.at_ms = now_ms
        if self._is_whole:
            self._traffic.fill(reading)
        else:
            reading.clear(MISSING)
        self._is_whole = True
        self._traffic.clear()
        emit(reading)

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; count each vehicle. At a desk emit each message."""
        if start == end:
            length = self._length
            self._length = 0
            self._end_pass()
            if length and self._is_desk and self._frame[0] != _STX:  # the last line of a file
                self._read_line(length, end, now_ms, emit)
            elif length:
                raise BadFrame("silence after %d bytes of a message" % length, end)
            return end
        for i in range(start, end):
            is_text = self._is_text
            if self._is_desk:
                is_text = data[i] != _STX if not self._length else self._frame[0] != _STX
            if is_text:
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
        if self._is_desk and byte == _STX:  # an encoded message begins: the line was none
            self._frame[0] = byte
            self._length = 1
            raise BadFrame("line cut after %d characters" % length, resume)
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
        """Take the line in the frame: a vehicle, or one more look at it."""
        text = self._text
        is_one = text.read(self._frame, length)
        if self._is_bare and (text.exponent or text.digits != 3):
            is_one = False
        if not is_one:
            raise BadFrame("line of %d characters that is no vehicle" % length, resume)
        if self._is_desk:
            self._show(now_ms, emit)
            return
        speed = text.value
        if self._is_stream or text.exponent:
            scaled = 2 * speed * _SCALES[text.unit or self._unit]
            divisor = 20_000 * 10**-text.exponent
            speed = (scaled + divisor // 2) // divisor
        if not 0 <= speed < SPEEDS:
            raise BadFrame("a vehicle of %d km/h" % speed, resume)
        if not self._is_stream:
            self._vehicle(speed, text.length_dm, text.is_out, now_ms, emit)
            return
        is_late = ticks_diff(now_ms, self._seen_ms) >= self._pass_ms
        if is_late or text.is_out != self._direction or speed == 0 or speed < self._least:
            self._end_pass()
        self._seen_ms = now_ms
        self._direction = text.is_out
        if speed and speed >= self._least:
            self._fastest = max(self._fastest, speed)

    def _end_pass(self):
        """Count the vehicle that passed, if any."""
        if self._fastest > 0:
            self._traffic.add(self._fastest, 0, self._direction)
        self._fastest = -1

    def _show(self, now_ms, emit):
        """At a desk: emit the line as it was sent."""
        text = self._text
        unit = text.unit or ("m/s" if self._frame[0] == 0x7B or text.exponent else self._unit)
        self._emit_one(text.value, text.exponent, unit, text.length_dm, text.is_out, now_ms, emit)

    def _vehicle(self, speed, length_dm, direction, now_ms, emit):
        if self._is_desk:
            self._emit_one(speed, 0, "km/h", length_dm, direction, now_ms, emit)
        elif speed >= self._least:
            self._traffic.add(speed, length_dm, direction)

    def _emit_one(self, speed, exponent, unit, length_dm, direction, now_ms, emit):
        """Emit one vehicle, or one look at it; a length only where the radar tells one."""
        points = [Point("speed", unit, exponent, 0, "speed")]
        if length_dm:
            points.append(Point("length", "m", -1, 0, "length"))
        points.append(Point("direction", "", 0, STATE, "direction"))
        reading = Reading(points)
        reading.at_ms = now_ms
        reading.set(0, speed)
        if length_dm:
            reading.set(1, length_dm)
        reading.set(len(points) - 1, direction)
        emit(reading)
