"""ABB B23: three phase meter, 65 A direct.

Source: ABB 2CMC485003M0201, B23/B24 user manual, chapter 9, Modbus mapping. Absent is all ones
when unsigned, 0x7FFF... when signed. The type is at 0x8960 as four letters.
"""

MAP = {
    "protocol": "modbus",
    "maker": "ABB",
    "model": "B23",
    "source": "ABB 2CMC485003M0201, chapter 9",
    "line": (19200, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "identity": ((3, 0x8960, 2, (0x42323320,)),),
    "points": (
        ("energy_import", "Wh", 1, "counter", 3, 0x5000, "uint64", 1),
        ("energy_export", "Wh", 1, "counter", 3, 0x5004, "uint64", 1),
        ("power", "W", -2, "gauge", 3, 0x5B14, "int32", -2),
        ("power_l1", "W", -2, "gauge", 3, 0x5B16, "int32", -2),
        ("power_l2", "W", -2, "gauge", 3, 0x5B18, "int32", -2),
        ("power_l3", "W", -2, "gauge", 3, 0x5B1A, "int32", -2),
        ("voltage_l1", "V", -1, "gauge", 3, 0x5B00, "uint32", -1),
        ("voltage_l2", "V", -1, "gauge", 3, 0x5B02, "uint32", -1),
        ("voltage_l3", "V", -1, "gauge", 3, 0x5B04, "uint32", -1),
        ("current_l1", "A", -2, "gauge", 3, 0x5B0C, "uint32", -2),
        ("current_l2", "A", -2, "gauge", 3, 0x5B0E, "uint32", -2),
        ("current_l3", "A", -2, "gauge", 3, 0x5B10, "uint32", -2),
        ("frequency", "Hz", -2, "gauge", 3, 0x5B2C, "uint16", -2),
        ("power_factor", "", -3, "gauge", 3, 0x5B3A, "int16", -3),
        ("power_factor_l1", "", -3, "gauge", 3, 0x5B3B, "int16", -3),
        ("power_factor_l2", "", -3, "gauge", 3, 0x5B3C, "int16", -3),
        ("power_factor_l3", "", -3, "gauge", 3, 0x5B3D, "int16", -3),
        ("energy_import_l1", "Wh", 1, "counter", 3, 0x5460, "uint64", 1),
        ("energy_import_l2", "Wh", 1, "counter", 3, 0x5464, "uint64", 1),
        ("energy_import_l3", "Wh", 1, "counter", 3, 0x5468, "uint64", 1),
        ("energy_export_l1", "Wh", 1, "counter", 3, 0x546C, "uint64", 1),
        ("energy_export_l2", "Wh", 1, "counter", 3, 0x5470, "uint64", 1),
        ("energy_export_l3", "Wh", 1, "counter", 3, 0x5474, "uint64", 1),
    ),
}
