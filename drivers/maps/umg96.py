"""Janitza UMG 96RM, 96-PA, 604, 801: three phase network analysers.

Source: Janitza UMG 96RM Modbus address list and formulary (1.054.080.0), block at 19000, float32.
Energies are Wh as float32: 24 bits of mantissa, so above 16.7 MWh steps exceed 1 Wh.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Janitza",
    "model": "UMG 96RM",
    "source": "Janitza UMG 96RM Modbus address list 1.054.080.0",
    "line": (19200, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "points": (
        ("energy_import", "Wh", 0, "counter", 3, 19068, "float32"),
        ("energy_export", "Wh", 0, "counter", 3, 19076, "float32"),
        ("power", "W", -1, "gauge", 3, 19026, "float32"),
        ("power_l1", "W", -1, "gauge", 3, 19020, "float32"),
        ("power_l2", "W", -1, "gauge", 3, 19022, "float32"),
        ("power_l3", "W", -1, "gauge", 3, 19024, "float32"),
        ("voltage_l1", "V", -1, "gauge", 3, 19000, "float32"),
        ("voltage_l2", "V", -1, "gauge", 3, 19002, "float32"),
        ("voltage_l3", "V", -1, "gauge", 3, 19004, "float32"),
        ("current_l1", "A", -3, "gauge", 3, 19012, "float32"),
        ("current_l2", "A", -3, "gauge", 3, 19014, "float32"),
        ("current_l3", "A", -3, "gauge", 3, 19016, "float32"),
        ("power_factor_l1", "", -3, "gauge", 3, 19044, "float32"),
        ("power_factor_l2", "", -3, "gauge", 3, 19046, "float32"),
        ("power_factor_l3", "", -3, "gauge", 3, 19048, "float32"),
        ("frequency", "Hz", -2, "gauge", 3, 19050, "float32"),
        ("energy_import_l1", "Wh", 0, "counter", 3, 19062, "float32"),
        ("energy_import_l2", "Wh", 0, "counter", 3, 19064, "float32"),
        ("energy_import_l3", "Wh", 0, "counter", 3, 19066, "float32"),
        ("energy_export_l1", "Wh", 0, "counter", 3, 19070, "float32"),
        ("energy_export_l2", "Wh", 0, "counter", 3, 19072, "float32"),
        ("energy_export_l3", "Wh", 0, "counter", 3, 19074, "float32"),
    ),
}
