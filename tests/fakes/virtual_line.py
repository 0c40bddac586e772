"""Meters on a line in virtual time, for a whole App: portable, by seed, with a ledger.

    line = Line(random, [CountingMeter(unit=1)], ledger)
    line.connect(bus, now_ms)            # a life of the gateway begins
    wait_ms = line.step(bus, wall_ms, now_ms)

Every answer of a CountingMeter carries a number that no other answer carries, and a scrambled
copy of it: what is stored names the answer that it was. `line.faults` is a permille of answers
that are damaged, cut short, late or missing; all but the late are not in the ledger. Not here:
ptys and real time (host_tools/sim).
"""

from drivers.ticks import ticks_add, ticks_diff

_BYTE_MS = 11 / 9.6  # ten bits and a start bit at 9600 baud, as long as a slow line needs
_MIX = 2654435761


class Random:
    """The same small generator on every runtime (Numerical Recipes' LCG, high bits)."""

    def __init__(self, seed):
        self._state = seed & 0xFFFFFFFF

    def __call__(self, below):
        """Return an integer 0 .. below - 1; below at most 2**32."""
        self._state = (self._state * 1664525 + 1013904223) & 0xFFFFFFFF
        return self._state * below >> 32


def sensor_value(number):
    """Return the distance, in mm, that the sensor's frame `number` says."""
    return 300 + number % 4000


def scrambled(number):
    """Return the second register pair of the answer `number`."""
    return number * _MIX & 0xFFFFFFFF


class CountingMeter:
    """A Modbus unit that answers FC 4 from address 0: its answer's number, and that scrambled."""

    def __init__(self, unit):
        self.unit = unit
        self.dead = False
        self.number = 0

    def answer(self, request):
        """Return the reply to one whole request, b"" when it is for another unit."""
        if self.dead or len(request) != 8 or request[0] != self.unit or request[1] != 4:
            return b""
        first = request[2] << 8 | request[3]
        count = request[4] << 8 | request[5]
        self.number += 1
        image = self.number.to_bytes(4, "big") + scrambled(self.number).to_bytes(4, "big")
        body = bytes((self.unit, 4, 2 * count)) + image[2 * first : 2 * (first + count)]
        return body + _crc(body)


class SpeakingSensor:
    """An ultrasonic sensor that says a new distance every `every_ms`."""

    def __init__(self, every_ms=5000):
        self.every_ms = every_ms
        self.dead = False
        self.number = 0

    def frame(self):
        """Return the next frame: FF, high, low, sum."""
        self.number += 1
        distance = sensor_value(self.number)
        body = bytes((0xFF, distance >> 8, distance & 0xFF))
        return body + bytes((sum(body) & 0xFF,))


class Line:
    """One port; meters is a list of CountingMeters, or one SpeakingSensor.

    ledger  list that takes (index of the meter, its number, wall ms) of each intact answer
    at      index of the first meter in the configuration
    """

    def __init__(self, random, meters, ledger, at=0):
        self.meters = meters
        self.faults = 0
        self._random = random
        self._ledger = ledger
        self._at = at
        self._arriving = []  # (tick, bytes, entry of the ledger or None)
        self._speaks_at = None
        self._sending_until = None

    def connect(self, bus, now_ms):
        """Open the port: what was on the line is gone."""
        self._arriving = []
        self._sending_until = None
        self._speaks_at = now_ms if hasattr(self.meters[0], "frame") else None
        bus.opened(now_ms)

    def disconnect(self):
        """The gateway sleeps: what is said now, nobody hears."""
        self._arriving = []
        self._sending_until = None
        self._speaks_at = None

    def step(self, bus, wall_ms, now_ms, most_ms=1000):
        """Move what is due; return ms until there is more to do, at most most_ms."""
        while self._step(bus, wall_ms, now_ms):
            pass
        waits = [most_ms]
        if not bus.is_quiet():
            waits.append(max(1, bus.step(now_ms, now_ms * 1000) // 1000))
        if bus.send_count:
            return 0
        if self._sending_until is not None:
            waits.append(ticks_diff(self._sending_until, now_ms))
        if self._arriving:
            waits.append(ticks_diff(self._arriving[0][0], now_ms))
        if self._speaks_at is not None:
            waits.append(ticks_diff(self._speaks_at, now_ms))
        return max(min(waits), 0)

    def _step(self, bus, wall_ms, now_ms):
        if self._speaks_at is not None and ticks_diff(now_ms, self._speaks_at) >= 0:
            self._speak(wall_ms, now_ms)
        if self._arriving and ticks_diff(now_ms, self._arriving[0][0]) >= 0:
            _, data, entry = self._arriving.pop(0)
            bus.rx[0 : len(data)] = data
            if entry:
                self._ledger.append((entry[0], entry[1], wall_ms))
            bus.received(len(data), now_ms, now_ms * 1000)
            return True
        bus.step(now_ms, now_ms * 1000)
        if not bus.send_count:
            return False
        if self._sending_until is None:
            self._sending_until = ticks_add(now_ms, int(bus.send_count * _BYTE_MS) + 1)
        if ticks_diff(now_ms, self._sending_until) < 0:
            return False
        self._sending_until = None
        request = bytes(bus.tx[: bus.send_count])
        bus.sent(now_ms, now_ms * 1000)
        self._reply(request, now_ms)
        return True

    def _speak(self, wall_ms, now_ms):
        sensor = self.meters[0]
        self._speaks_at = ticks_add(self._speaks_at, sensor.every_ms)
        if not sensor.dead:
            self._send(sensor.frame(), (self._at, sensor.number), now_ms, 0)

    def _reply(self, request, now_ms):
        for i, meter in enumerate(self.meters):
            data = meter.answer(request)
            if data:
                self._send(data, (self._at + i, meter.number), now_ms, 5 + self._random(30))

    def _send(self, data, entry, now_ms, pause_ms):
        if self._random(1000) < self.faults:
            kind = self._random(4)
            if kind != 2:
                entry = None
            if kind == 0:
                data = bytearray(data)
                data[self._random(len(data))] ^= 1 << self._random(8)
            elif kind == 1:
                data = data[: self._random(len(data))]
            elif kind == 2:
                pause_ms += 300 + self._random(3000)
            else:
                return
        whole_ms = ticks_add(now_ms, pause_ms + int(len(data) * _BYTE_MS) + 1)
        half = self._random(len(data) + 1)
        first_ms = ticks_add(now_ms, pause_ms + int(half * _BYTE_MS))
        for at_ms, part, what in ((first_ms, data[:half], None), (whole_ms, data[half:], entry)):
            if part or what:
                self._arrive((at_ms, bytes(part), what))

    def _arrive(self, item):
        at = len(self._arriving)
        while at and ticks_diff(self._arriving[at - 1][0], item[0]) > 0:
            at -= 1
        self._arriving.insert(at, item)


def _crc(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return bytes((crc & 0xFF, crc >> 8))
