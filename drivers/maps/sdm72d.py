"""Eastron SDM72D-M: three phase meter, 100 A, totals and phases.

Source: Eastron SDM72D-M user manual V1.1 (of the V2 meter), part 3: input registers (address 0 is
30001), at most 30 parameters a request, meter code 0089 at FC02. The first SDM72D-M knows power,
energies and 0x0500 only; its code 0084 is field knowledge. Field: reaper7/SDM_Energy_Meter issue
50: it restarts when it is polled faster than every 500 ms.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Eastron",
    "model": "SDM72D-M",
    "source": "Eastron SDM72D-M user manual V1.1, part 3",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 60,
    "align": 2,
    "wait_ms": 500,
    "identity": ((3, 0xFC02, 1, (0x0089, 0x0084)),),
    "points": (
        ("energy_import", "Wh", 0, "counter", 4, 0x0048, "float32", 3),
        ("energy_export", "Wh", 0, "counter", 4, 0x004A, "float32", 3),
        ("power", "W", -1, "gauge", 4, 0x0034, "float32"),
        ("power_l1", "W", -1, "gauge", 4, 0x000C, "float32"),
        ("power_l2", "W", -1, "gauge", 4, 0x000E, "float32"),
        ("power_l3", "W", -1, "gauge", 4, 0x0010, "float32"),
        ("voltage_l1", "V", -1, "gauge", 4, 0x0000, "float32"),
        ("voltage_l2", "V", -1, "gauge", 4, 0x0002, "float32"),
        ("voltage_l3", "V", -1, "gauge", 4, 0x0004, "float32"),
        ("current_l1", "A", -3, "gauge", 4, 0x0006, "float32"),
        ("current_l2", "A", -3, "gauge", 4, 0x0008, "float32"),
        ("current_l3", "A", -3, "gauge", 4, 0x000A, "float32"),
        ("apparent_power", "VA", -1, "gauge", 4, 0x0038, "float32"),
        ("reactive_power", "var", -1, "gauge", 4, 0x003C, "float32"),
        ("power_factor", "", -3, "gauge", 4, 0x003E, "float32"),
        ("frequency", "Hz", -2, "gauge", 4, 0x0046, "float32"),
        ("current_n", "A", -3, "gauge", 4, 0x00E0, "float32"),
        ("energy", "Wh", 0, "counter", 4, 0x0156, "float32", 3),
        ("reactive_energy", "varh", 0, "counter", 4, 0x0158, "float32", 3),
        ("power_import", "W", -1, "gauge", 4, 0x0500, "float32"),
        ("power_export", "W", -1, "gauge", 4, 0x0502, "float32"),
    ),
}
