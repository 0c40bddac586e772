"""Socomec DIRIS B-30: three phase multimeter, RS-485 or radio.

Source: Socomec DIRIS B-30 Modbus communication table, block at 18432: V/100, A/1000, W; energies
in kWh, at odd addresses.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Socomec",
    "model": "DIRIS B-30",
    "source": "Socomec DIRIS B-30 communication table; OpenEMS meter.socomec",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "points": (
        ("energy_import", "Wh", 3, "counter", 3, 19843, "uint32", 3),
        ("energy_export", "Wh", 3, "counter", 3, 19846, "uint32", 3),
        ("power", "W", 0, "gauge", 3, 18476, "int32"),
        ("power_l1", "W", 0, "gauge", 3, 18488, "int32"),
        ("power_l2", "W", 0, "gauge", 3, 18490, "int32"),
        ("power_l3", "W", 0, "gauge", 3, 18492, "int32"),
        ("voltage_l1", "V", -2, "gauge", 3, 18444, "uint32", -2),
        ("voltage_l2", "V", -2, "gauge", 3, 18446, "uint32", -2),
        ("voltage_l3", "V", -2, "gauge", 3, 18448, "uint32", -2),
        ("current_l1", "A", -3, "gauge", 3, 18458, "uint32", -3),
        ("current_l2", "A", -3, "gauge", 3, 18460, "uint32", -3),
        ("current_l3", "A", -3, "gauge", 3, 18462, "uint32", -3),
        ("reactive_power", "var", 0, "gauge", 3, 18478, "int32"),
        ("reactive_power_l1", "var", 0, "gauge", 3, 18494, "int32"),
        ("reactive_power_l2", "var", 0, "gauge", 3, 18496, "int32"),
    ),
}
