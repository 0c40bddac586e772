"""Itron EM214 type 7, electricity meter with export, IEC 62056-21 mode C.

Source: IEC 62056-61:2006 (OBIS codes); Itron EM214 user guide, "Readout list".
"""

MAP = {
    "protocol": "iec62056",
    "maker": "Itron",
    "model": "EM214",
    "source": "Itron EM214 user guide",
    "points": (
        ("energy_import_t1", "Wh", 2, "counter", "1.8.1"),
        ("energy_import_t2", "Wh", 2, "counter", "1.8.2"),
        ("energy_export_t1", "Wh", 2, "counter", "2.8.1"),
        ("power_import", "W", 1, "gauge", "1.7.0"),
        ("power_export", "W", 1, "gauge", "2.7.0"),
    ),
}
