"""APG MNU: ultrasonic level sensor, RS-485 (tanks, culverts).

Source: APG MNU IUM manual rev. B1 5/13, page 10: input registers 30300 and on, 0-based here. Not
more than five registers a read, and 300 ms between reads.
"""

MAP = {
    "protocol": "modbus",
    "maker": "APG",
    "model": "MNU",
    "source": "APG MNU manual rev. B1 5/13, page 10",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 5,
    "wait_ms": 300,
    "points": (
        ("distance", "m", -3, "gauge", 4, 299, "uint16", -3),
        ("temperature", "degC", 0, "gauge", 4, 301, "int16"),
        ("level", "", 0, "gauge", 4, 302, "uint32"),
    ),
}
