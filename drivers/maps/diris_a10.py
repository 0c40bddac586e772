"""Socomec DIRIS A10: three phase multimeter.

Source: Socomec DIRIS A10 Modbus communication table, block at 50520: V/100, Hz/100, A/1000, tens
of W; energies in kWh. The identity text "SOCO" is at 50000.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Socomec",
    "model": "DIRIS A10",
    "source": "Socomec DIRIS A10 communication table; OpenEMS meter.socomec",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "points": (
        ("energy_import", "Wh", 3, "counter", 3, 50780, "uint32", 3),
        ("energy_export", "Wh", 3, "counter", 3, 50786, "uint32", 3),
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
