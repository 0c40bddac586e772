"""Schneider Electric Acti9 iEM3000 and PowerTag block behind a Smartlink SI B.

Source: Schneider DOCA0004EN, Acti9 Smartlink, Modbus registers; the block the project OpenEMS
reads. Energies are unsigned: 3208 and 3212 in the 1-based table. Verify on site which of them
counts import on the model at hand.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Schneider Electric",
    "model": "Acti9 Smartlink",
    "source": "Schneider DOCA0004EN; OpenEMS meter.schneider.acti9.smartlink",
    "line": (19200, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "reply_ms": 1000,
    "points": (
        ("energy_import", "Wh", 0, "counter", 3, 3207, "uint64"),
        ("energy_export", "Wh", 0, "counter", 3, 3211, "uint64"),
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
        ("reactive_power", "var", 0, "gauge", 3, 3067, "float32", 3),
        ("frequency", "Hz", -2, "gauge", 3, 3109, "float32"),
    ),
}
