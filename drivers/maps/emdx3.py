"""Legrand EMDX3 4 120 45: three phase multifunction meter (IME Nemo 96HD).

Source: Legrand 412045 Modbus table, block at 0x1000: mV, mA, W, Wh. The sign of the powers is in
registers of its own, which are not read here: powers are magnitudes. Factory line and limits are
not confirmed: check on the display.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Legrand",
    "model": "EMDX3 412045",
    "source": "Legrand 412045 Modbus table",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 40,
    "wait_ms": 20,
    "reply_ms": 300,
    "points": (
        ("energy_import", "Wh", 0, "counter", 3, 0x101C, "uint32"),
        ("energy_export", "Wh", 0, "counter", 3, 0x1020, "uint32"),
        ("power", "W", 0, "gauge", 3, 0x1014, "uint32"),
        ("voltage_l1", "V", -3, "gauge", 3, 0x1000, "uint32", -3),
        ("voltage_l2", "V", -3, "gauge", 3, 0x1002, "uint32", -3),
        ("voltage_l3", "V", -3, "gauge", 3, 0x1004, "uint32", -3),
        ("current_l1", "A", -3, "gauge", 3, 0x1006, "uint32", -3),
        ("current_l2", "A", -3, "gauge", 3, 0x1008, "uint32", -3),
        ("current_l3", "A", -3, "gauge", 3, 0x100A, "uint32", -3),
        ("current_n", "A", -3, "gauge", 3, 0x100C, "uint32", -3),
        ("voltage_l1_l2", "V", -3, "gauge", 3, 0x100E, "uint32", -3),
        ("voltage_l2_l3", "V", -3, "gauge", 3, 0x1010, "uint32", -3),
        ("voltage_l3_l1", "V", -3, "gauge", 3, 0x1012, "uint32", -3),
        ("reactive_power", "var", 0, "gauge", 3, 0x1016, "uint32"),
        ("apparent_power", "VA", 0, "gauge", 3, 0x1018, "uint32"),
        ("reactive_energy_import", "varh", 0, "counter", 3, 0x101E, "uint32"),
        ("reactive_energy_export", "varh", 0, "counter", 3, 0x1022, "uint32"),
        ("power_factor", "", -2, "gauge", 3, 0x1024, "int16", -2),
        ("frequency", "Hz", -1, "gauge", 3, 0x1026, "uint16", -1),
    ),
}
