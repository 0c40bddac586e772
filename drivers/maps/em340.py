"""Carlo Gavazzi EM340, ET340, EM330, ET330: three phase, RS-485.

Source: Carlo Gavazzi EM330/EM340/ET330/ET340 Serial Communication Protocol V2 R17, tables 2.1 to
2.6: 32-bit values with the low word first; FC 3 and FC 4 read the same data. The identity at
0x000B must be read alone; 330 to 345 are of this table but for 338 (victronenergy/dbus-cgwacs).
Export counts only in measurement mode B. Overflow: 0x7FFFFFFF.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Carlo Gavazzi",
    "model": "EM340",
    "source": "Carlo Gavazzi EM300/ET300 serial communication protocol V2 R17",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "CDAB",
    "max_registers": 50,
    "alone": (0x000B,),
    "identity": (
        (
            4,
            0x000B,
            1,
            (341, 330, 331, 332, 333, 334, 335, 336, 337, 339, 340, 342, 343, 344, 345),
        ),
    ),
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
