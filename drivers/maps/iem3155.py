"""Schneider Electric iEM3155 (iEM3150: no export, no reactive): three phase, 63 A.

Source: Schneider DOCA0005EN-04, Modbus register list, pages 51 to 61. Its tables count from 1:
register 3000 is address 2999 here. Powers are float32 in kW; energies int64 in Wh; absent is NaN
or 0x8000000000000000.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Schneider Electric",
    "model": "iEM3155",
    "source": "Schneider DOCA0005EN-04, pages 51-61",
    "line": (19200, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "reply_ms": 1000,
    "points": (
        ("energy_import", "Wh", 0, "counter", 3, 3203, "int64"),
        ("energy_export", "Wh", 0, "counter", 3, 3207, "int64"),
        ("power", "W", 0, "gauge", 3, 3059, "float32", 3),
        ("power_l1", "W", 0, "gauge", 3, 3053, "float32", 3),
        ("power_l2", "W", 0, "gauge", 3, 3055, "float32", 3),
        ("power_l3", "W", 0, "gauge", 3, 3057, "float32", 3),
        ("voltage_l1", "V", -1, "gauge", 3, 3027, "float32"),
        ("voltage_l2", "V", -1, "gauge", 3, 3029, "float32"),
        ("voltage_l3", "V", -1, "gauge", 3, 3031, "float32"),
        ("current_l1", "A", -3, "gauge", 3, 2999, "float32"),
        ("current_l2", "A", -3, "gauge", 3, 3001, "float32"),
        ("current_l3", "A", -3, "gauge", 3, 3003, "float32"),
        ("voltage", "V", -1, "gauge", 3, 3035, "float32"),
        ("current", "A", -3, "gauge", 3, 3009, "float32"),
        ("reactive_power", "var", 0, "gauge", 3, 3067, "float32", 3),
        ("apparent_power", "VA", 0, "gauge", 3, 3075, "float32", 3),
        ("frequency", "Hz", -2, "gauge", 3, 3109, "float32"),
        ("reactive_energy_import", "varh", 0, "counter", 3, 3219, "int64"),
        ("reactive_energy_export", "varh", 0, "counter", 3, 3223, "int64"),
        ("energy_import_l1", "Wh", 0, "counter", 3, 3517, "int64"),
        ("energy_import_l2", "Wh", 0, "counter", 3, 3521, "int64"),
        ("energy_import_l3", "Wh", 0, "counter", 3, 3525, "int64"),
    ),
}
