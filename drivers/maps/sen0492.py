"""DFRobot SEN0492: laser distance sensor, RS-485 (bin level), 40 to 4000 mm.

Source: DFRobot wiki, SEN0492, communication protocol: register 0x34, mm, one register a read.
"""

MAP = {
    "protocol": "modbus",
    "maker": "DFRobot",
    "model": "SEN0492",
    "source": "DFRobot wiki SEN0492, communication protocol",
    "line": (115200, 8, "N", 1),
    "unit": 80,
    "words": "ABCD",
    "max_registers": 1,
    "points": (("distance", "m", -3, "gauge", 3, 52, "uint16", -3),),
}
