"""Meters in virtual time, each with a memory of what it said: portable, by seed.

    meter = LoadMeter(unit=1)
    reply = meter.answer(request, wall_ms)
    meter.second(meter.number)           # the second value of the answer of that number

Every answer carries a number that no other answer carries: what is stored names the answer that
it was. Not here: the line between them and the gateway (virtual_line.py), real time
(host_tools/sim).
"""

_MIX = 2654435761
_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS
_YEAR_DAYS = 365
# Watts above the base in each hour: a house that is heated, and cooked in.
_OF_NIGHT = (0, 0, 0, 0, 0, 40, 180, 420, 300, 120, 90, 90)
_OF_DAY = (310, 220, 100, 90, 110, 260, 640, 820, 700, 480, 260, 90)


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
        self.is_counter = False  # the second value is one

    def second(self, number):
        """Return the second value of the answer `number`."""
        return scrambled(number)

    def life(self, number):
        """Return which of the meters that hung here gave that answer."""
        return 0

    def answer(self, request, wall_ms=0):
        """Return the reply to one whole request, b"" when it is for another unit."""
        if self.dead or len(request) != 8 or request[0] != self.unit or request[1] != 4:
            return b""
        first = request[2] << 8 | request[3]
        count = request[4] << 8 | request[5]
        self.number += 1
        self._measure(wall_ms)
        image = self.number.to_bytes(4, "big") + self.second(self.number).to_bytes(4, "big")
        body = bytes((self.unit, 4, 2 * count)) + image[2 * first : 2 * (first + count)]
        return body + _crc(body)

    def _measure(self, wall_ms):
        pass


class LoadMeter(CountingMeter):
    """One that counts the energy of a house through the seasons, in Wh, beside its answers.

    said   what each answer was: {number: (Wh, which of the meters that hung here)}
    """

    def __init__(self, unit, wall_ms):
        super().__init__(unit)
        self.is_counter = True
        self.said = {}
        self._life = 0
        self._measured_ms = wall_ms
        self._watt_ms = self._first_ms()

    def second(self, number):
        """Return the counter of the answer `number`, -1: there was no such answer."""
        return self.said.get(number, (-1, 0))[0]

    def life(self, number):
        """Return which of the meters that hung here gave that answer."""
        return self.said[number][1]

    def replace(self, number):
        """Put a new meter here: its counter is lower, its answers are from number on."""
        self.number = number
        self._life += 1
        self._watt_ms = self._first_ms()

    def _first_ms(self):
        """Return where a counter begins: lower than any of the meters before ended."""
        return (40 - self._life) * 100_000_000 * _HOUR_MS

    def _measure(self, wall_ms):
        day = wall_ms // _DAY_MS
        hour = wall_ms // _HOUR_MS % 24
        winter = abs(day % _YEAR_DAYS * 2 - _YEAR_DAYS)  # 365 at New Year, 0 in July
        of_hour = (_OF_NIGHT, _OF_DAY)[hour // 12][hour % 12]
        watts = 60 + self.unit * (winter * 3 + of_hour) + day % 7 * 15
        self._watt_ms += watts * (wall_ms - self._measured_ms)
        self._measured_ms = wall_ms
        self.said[self.number] = (self._watt_ms // _HOUR_MS, self._life)


class SpeakingSensor:
    """An ultrasonic sensor that says a new distance every `every_ms`.

    heard  {number: true ms} of each frame that arrived whole
    """

    def __init__(self, every_ms=5000):
        self.every_ms = every_ms
        self.heard = {}
        self.dead = False
        self.number = 0

    def frame(self):
        """Return the next frame: FF, high, low, sum."""
        self.number += 1
        distance = sensor_value(self.number)
        body = bytes((0xFF, distance >> 8, distance & 0xFF))
        return body + bytes((sum(body) & 0xFF,))


def _crc(data):
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRCS[(crc ^ byte) & 0xFF]
    return bytes((crc & 0xFF, crc >> 8))


def _crc_of(byte):
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRCS = [_crc_of(byte) for byte in range(256)]
