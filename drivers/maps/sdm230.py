"""Eastron SDM230-Modbus: single phase meter, 100 A.

Source: Eastron SDM230-Modbus Smart Meter Modbus Protocol Implementation V1.1, input registers
(address 0 is 30001), at most 40 parameters a request, address and count even. Field: it leaves the
factory at 2400 8N1; polls closer than 100 ms are lost; its meter code 002B is in no protocol seen.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Eastron",
    "model": "SDM230",
    "source": "Eastron SDM230-Modbus Protocol Implementation V1.1",
    "line": (2400, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 80,
    "align": 2,
    "wait_ms": 100,
    "identity": ((3, 0xFC02, 1, (0x002B,)),),
    "points": (
        ("energy_import", "Wh", 0, "counter", 4, 0x0048, "float32", 3),
        ("energy_export", "Wh", 0, "counter", 4, 0x004A, "float32", 3),
        ("power", "W", -1, "gauge", 4, 0x000C, "float32"),
        ("voltage", "V", -1, "gauge", 4, 0x0000, "float32"),
        ("current", "A", -3, "gauge", 4, 0x0006, "float32"),
        ("apparent_power", "VA", -1, "gauge", 4, 0x0012, "float32"),
        ("reactive_power", "var", -1, "gauge", 4, 0x0018, "float32"),
        ("power_factor", "", -3, "gauge", 4, 0x001E, "float32"),
        ("phase_angle", "deg", -1, "gauge", 4, 0x0024, "float32"),
        ("frequency", "Hz", -2, "gauge", 4, 0x0046, "float32"),
        ("reactive_energy_import", "varh", 0, "counter", 4, 0x004C, "float32", 3),
        ("reactive_energy_export", "varh", 0, "counter", 4, 0x004E, "float32", 3),
        ("power_demand", "W", -1, "gauge", 4, 0x0054, "float32"),
        ("power_demand_max", "W", -1, "gauge", 4, 0x0056, "float32"),
        ("power_import_demand", "W", -1, "gauge", 4, 0x0058, "float32"),
        ("power_import_demand_max", "W", -1, "gauge", 4, 0x005A, "float32"),
        ("power_export_demand", "W", -1, "gauge", 4, 0x005C, "float32"),
        ("power_export_demand_max", "W", -1, "gauge", 4, 0x005E, "float32"),
        ("current_demand", "A", -3, "gauge", 4, 0x0102, "float32"),
        ("current_demand_max", "A", -3, "gauge", 4, 0x0108, "float32"),
        ("energy", "Wh", 0, "counter", 4, 0x0156, "float32", 3),
        ("reactive_energy", "varh", 0, "counter", 4, 0x0158, "float32", 3),
    ),
}
