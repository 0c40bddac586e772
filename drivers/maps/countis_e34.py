"""Socomec COUNTIS E34, E44: three phase energy meters.

Source: Socomec COUNTIS E3x/E4x Modbus communication table, block at 50520: V/100, Hz/100, A/1000,
tens of W. The identity text "SOCO" is at 50000. The sign convention of the two energies is field
knowledge: compare with the display.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Socomec",
    "model": "COUNTIS E34",
    "source": "Socomec COUNTIS E3x/E4x communication table; OpenEMS meter.socomec",
    "line": (38400, 8, "N", 1),
    "unit": 5,
    "words": "ABCD",
    "max_registers": 125,
    "points": (
        ("energy_import", "Wh", 1, "counter", 3, 50946, "uint32", 1),
        ("energy_export", "Wh", 1, "counter", 3, 50952, "uint32", 1),
        ("power", "W", 1, "gauge", 3, 50536, "int32", 1),
        ("power_l1", "W", 1, "gauge", 3, 50544, "int32", 1),
        ("power_l2", "W", 1, "gauge", 3, 50546, "int32", 1),
        ("power_l3", "W", 1, "gauge", 3, 50548, "int32", 1),
        ("voltage_l1", "V", -2, "gauge", 3, 50520, "uint32", -2),
        ("voltage_l2", "V", -2, "gauge", 3, 50522, "uint32", -2),
        ("voltage_l3", "V", -2, "gauge", 3, 50524, "uint32", -2),
        ("current_l1", "A", -3, "gauge", 3, 50528, "uint32", -3),
        ("current_l2", "A", -3, "gauge", 3, 50530, "uint32", -3),
        ("current_l3", "A", -3, "gauge", 3, 50532, "uint32", -3),
        ("reactive_power", "var", 1, "gauge", 3, 50538, "int32", 1),
        ("frequency", "Hz", -2, "gauge", 3, 50526, "uint32", -2),
        ("reactive_power_l1", "var", 1, "gauge", 3, 50550, "int32", 1),
        ("reactive_power_l2", "var", 1, "gauge", 3, 50552, "int32", 1),
        ("reactive_power_l3", "var", 1, "gauge", 3, 50554, "int32", 1),
    ),
}
