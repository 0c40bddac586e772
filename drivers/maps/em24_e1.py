"""Carlo Gavazzi EM24 E1 (Ethernet): three phase, Modbus TCP. NOT the EM24 on RS-485.

Source: Carlo Gavazzi EM24 Ethernet communication protocol V1 R4: low word first. The application
at 0xA000 must be 7 (H) for this table; the identity at 0x000B is read alone.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Carlo Gavazzi",
    "model": "EM24 E1",
    "source": "Carlo Gavazzi EM24 Ethernet communication protocol V1 R4",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "CDAB",
    "max_registers": 50,
    "alone": (0x000B,),
    "identity": ((4, 0x000B, 1, (1648, 1649, 1650, 1651, 1652, 1653)),),
    "points": (
        ("energy_import", "Wh", 2, "counter", 4, 0x0034, "int32", 2),
        ("energy_export", "Wh", 2, "counter", 4, 0x004E, "int32", 2),
        ("power", "W", -1, "gauge", 4, 0x0028, "int32", -1),
        ("power_l1", "W", -1, "gauge", 4, 0x0012, "int32", -1),
        ("power_l2", "W", -1, "gauge", 4, 0x0014, "int32", -1),
        ("power_l3", "W", -1, "gauge", 4, 0x0016, "int32", -1),
        ("voltage_l1", "V", -1, "gauge", 4, 0x0000, "int32", -1),
        ("voltage_l2", "V", -1, "gauge", 4, 0x0002, "int32", -1),
        ("voltage_l3", "V", -1, "gauge", 4, 0x0004, "int32", -1),
        ("current_l1", "A", -3, "gauge", 4, 0x000C, "int32", -3),
        ("current_l2", "A", -3, "gauge", 4, 0x000E, "int32", -3),
        ("current_l3", "A", -3, "gauge", 4, 0x0010, "int32", -3),
        ("power_factor_l1", "", -3, "gauge", 4, 0x002E, "int16", -3),
        ("power_factor_l2", "", -3, "gauge", 4, 0x002F, "int16", -3),
        ("power_factor_l3", "", -3, "gauge", 4, 0x0030, "int16", -3),
        ("power_factor", "", -3, "gauge", 4, 0x0031, "int16", -3),
        ("frequency", "Hz", -1, "gauge", 4, 0x0033, "int16", -1),
        ("energy_import_l1", "Wh", 2, "counter", 4, 0x0040, "int32", 2),
        ("energy_import_l2", "Wh", 2, "counter", 4, 0x0042, "int32", 2),
        ("energy_import_l3", "Wh", 2, "counter", 4, 0x0044, "int32", 2),
    ),
}
