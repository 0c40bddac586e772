"""What a driver gives: the points of one meter at one instant, as integers.

A value is `integer * 10 ** exponent` in `unit`. No float is ever on the path: ESP32 and RP2
have single precision, where a Wh counter loses units above 16 777 216.

    from drivers.reading import COUNTER, GAUGE, Point, Reading

    POINTS = (Point("energy", "Wh", 1, COUNTER, 0x0048), Point("voltage", "V", -1, GAUGE, 0))
    reading = Reading(POINTS)
    reading.set(1, 2304)                 # 230.4 V
    decimal_text(2304, -1)               # "230.4"
"""

from micropython import const

# Kinds of a point. TEXT values are bytes: shown at a desk, never journaled.
GAUGE = const(0)  # may move both ways: V, W, degC, m
COUNTER = const(1)  # only grows, but for a declared rollover or exchange: Wh, m3, pulses
STATE = const(2)  # bits or an enumeration: a relay word, a door contact, a tariff number
TEXT = const(3)  # an identity or a message
KIND_NAMES = ("gauge", "counter", "state", "text")

# Quality of a value. Codes are part of the flash and wire formats: never renumber.
GOOD = const(0)
MISSING = const(1)  # the answer did not hold this point; value None
UNAVAILABLE = const(2)  # the meter sent its own "not available" mark; value None
REFUSED = const(3)  # the meter refuses this point until restart; value None
NO_REPLY = const(4)  # nothing usable came in time; value None
BAD_FRAME = const(5)  # only damaged answers came; value None
OVERFLOW = const(6)  # does not fit -2**63 .. 2**64-1 at the point's resolution; value None
IMPLAUSIBLE = const(7)  # received, kept, and not believed; value present
QUALITY_NAMES = (
    "good",
    "missing",
    "unavailable",
    "refused",
    "no_reply",
    "bad_frame",
    "overflow",
    "implausible",
)

VALUE_MIN = -(1 << 63)
VALUE_MAX = (1 << 64) - 1


class Point:
    """One thing that is measured: fixed when the meter is configured.

    name      lower case, a field term with its phase or tariff: "energy_import", "voltage_l1"
    unit      the UCUM-like unit text: "Wh", "V", "A", "W", "VA", "var", "m3", "m", "degC", ""
    exponent  the power of ten of the integer, -18 .. 18
    kind      GAUGE, COUNTER, STATE or TEXT
    code      the protocol's own identifier: a TIC label, an OBIS code, a register address
    """

    def __init__(self, name, unit, exponent, kind, code):
        self.name = name
        self.unit = unit
        self.exponent = exponent
        self.kind = kind
        self.code = code


class Reading:
    """The values of one meter at one instant; owned by the driver and used again.

    A receiver copies what it wants during emit(): after it returns the driver may overwrite.

    points   tuple of Point, the order of the other fields. Fixed for a configured meter; for a
             driver made without a map, a new list for each frame.
    values   list: int, None (nothing there: see quality), or bytes where the kind is TEXT
    quality  bytearray of the codes above, as long as points
    times    None, or a list: the meter's own time of each value, seconds since 1970 UTC, or None
    at_ms    ticks (drivers/ticks.py) at which the frame's last byte was seen
    """

    def __init__(self, points):
        self.points = points
        self.values = [None] * len(points)
        self.quality = bytearray(len(points))
        self.times = None
        self.at_ms = 0
        self.clear(MISSING)

    def clear(self, quality):
        """Set every value to None with this quality."""
        for i in range(len(self.values)):
            self.values[i] = None
            self.quality[i] = quality

    def set(self, index, value, quality=GOOD):
        """Set one value; None must come with the quality that says why."""
        if value is not None and not isinstance(value, bytes):
            if not VALUE_MIN <= value <= VALUE_MAX:
                value = None
                quality = OVERFLOW
        self.values[index] = value
        self.quality[index] = quality


def decimal_text(value, exponent):
    """Return `value * 10 ** exponent` as an exact decimal text.

    Trailing zeros within the resolution stay (2300, -1 gives "230.0"); a positive exponent
    appends zeros (12, 3 gives "12000").
    """
    if exponent >= 0:
        return str(value * 10**exponent)
    digits = str(abs(value))
    places = -exponent
    if len(digits) <= places:
        digits = "0" * (places + 1 - len(digits)) + digits
    sign = "-" if value < 0 else ""
    return sign + digits[:-places] + "." + digits[-places:]
