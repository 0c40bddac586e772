"""Landis+Gyr E350 (ZCF110/ZMF110), DSMR P1 4.2: 115200 8N1, a telegram each 10 s.

Source: DSMR P1 Companion Standard 4.2.2, table 6-12. Gas on M-Bus channel 1, as installed by
default; another channel is another row.
"""

MAP = {
    "protocol": "dsmr",
    "maker": "Landis+Gyr",
    "model": "E350",
    "source": "DSMR P1 Companion Standard 4.2.2",
    "crc": True,
    "points": (
        ("energy_import_t1", "Wh", 0, "counter", "1-0:1.8.1"),
        ("energy_import_t2", "Wh", 0, "counter", "1-0:1.8.2"),
        ("energy_export_t1", "Wh", 0, "counter", "1-0:2.8.1"),
        ("energy_export_t2", "Wh", 0, "counter", "1-0:2.8.2"),
        ("tariff", "", 0, "state", "0-0:96.14.0"),
        ("power_import", "W", 0, "gauge", "1-0:1.7.0"),
        ("power_export", "W", 0, "gauge", "1-0:2.7.0"),
        ("current_l1", "A", 0, "gauge", "1-0:31.7.0"),
        ("gas_volume", "m3", -3, "counter", "0-1:24.2.1"),
    ),
}
