"""DFRobot SEN0310: waterproof ultrasonic distance sensor, RS-485 (bin and tank level).

Source: DFRobot wiki, SEN0310, communication protocol. Distances are in hundredths of a metre:
register 5 counts 10 mm. Its page gives 115200 and, by the baud register, 19200: scan finds which.
"""

MAP = {
    "protocol": "modbus",
    "maker": "DFRobot",
    "model": "SEN0310",
    "source": "DFRobot wiki SEN0310, communication protocol",
    "line": (19200, 8, "N", 1),
    "unit": 11,
    "words": "ABCD",
    "max_registers": 9,
    "points": (
        ("distance", "m", -2, "gauge", 3, 5, "uint16", -2),
        ("temperature", "degC", -1, "gauge", 3, 6, "int16", -1),
    ),
}
