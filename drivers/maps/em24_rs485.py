"""Carlo Gavazzi EM24-DIN on RS-485: three phase, 65 A. NOT the Ethernet EM24 (em24_e1).

Source: Carlo Gavazzi EM24-DIN serial communication protocol V3: low word first; at most 11 words
a request on old firmware. Power factors, frequency and energies are elsewhere than in the E1. The
identity at 0x000B (71 to 73) is read alone. Checked against victronenergy/dbus-cgwacs and mbmd.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Carlo Gavazzi",
    "model": "EM24-DIN",
    "source": "Carlo Gavazzi EM24-DIN serial protocol V3",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "CDAB",
    "max_registers": 11,
    "alone": (0x000B,),
    "identity": ((4, 0x000B, 1, (71, 72, 73)),),
    "points": (
        ("energy_import", "Wh", 2, "counter", 4, 0x0042, "int32", 2),
        ("energy_export", "Wh", 2, "counter", 4, 0x005C, "int32", 2),
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
        ("power_factor_l1", "", -3, "gauge", 4, 0x0032, "int16", -3),
        ("power_factor_l2", "", -3, "gauge", 4, 0x0033, "int16", -3),
        ("power_factor_l3", "", -3, "gauge", 4, 0x0034, "int16", -3),
        ("power_factor", "", -3, "gauge", 4, 0x0035, "int16", -3),
        ("frequency", "Hz", -1, "gauge", 4, 0x0037, "int16", -1),
        ("energy_import_l1", "Wh", 2, "counter", 4, 0x0046, "int32", 2),
        ("energy_import_l2", "Wh", 2, "counter", 4, 0x0048, "int32", 2),
        ("energy_import_l3", "Wh", 2, "counter", 4, 0x004A, "int32", 2),
    ),
}
