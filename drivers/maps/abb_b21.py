"""ABB B21: single phase meter, 65 A.

Source: ABB 2CMC485002M0201, B21 user manual, chapter 9, Modbus mapping. Phase registers of the
three phase models are "not available" here (all ones), so only those of L1 are asked.
"""

MAP = {
    "protocol": "modbus",
    "maker": "ABB",
    "model": "B21",
    "source": "ABB 2CMC485002M0201, chapter 9",
    "line": (19200, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "identity": ((3, 0x8960, 2, (0x42323120,)),),
    "points": (
        ("energy_import", "Wh", 1, "counter", 3, 0x5000, "uint64", 1),
        ("energy_export", "Wh", 1, "counter", 3, 0x5004, "uint64", 1),
        ("power", "W", -2, "gauge", 3, 0x5B14, "int32", -2),
        ("voltage_l1", "V", -1, "gauge", 3, 0x5B00, "uint32", -1),
        ("current_l1", "A", -2, "gauge", 3, 0x5B0C, "uint32", -2),
        ("frequency", "Hz", -2, "gauge", 3, 0x5B2C, "uint16", -2),
        ("power_factor", "", -3, "gauge", 3, 0x5B3A, "int16", -3),
    ),
}
