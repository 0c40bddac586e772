"""Sagemcom S211/T211 on the Belgian grid, e-MUCS P1 1.7.1: 115200 8N1, a telegram each second.

Source: Fluvius e-MUCS_P1 1.7.1, section 5.6. Gas on M-Bus channel 1 (24.2.3: uncorrected to
temperature), water on channel 2.
"""

MAP = {
    "protocol": "dsmr",
    "maker": "Sagemcom",
    "model": "S211",
    "source": "Fluvius e-MUCS_P1 1.7.1",
    "crc": True,
    "points": (
        ("energy_import_t1", "Wh", 0, "counter", "1-0:1.8.1"),
        ("energy_import_t2", "Wh", 0, "counter", "1-0:1.8.2"),
        ("energy_export_t1", "Wh", 0, "counter", "1-0:2.8.1"),
        ("energy_export_t2", "Wh", 0, "counter", "1-0:2.8.2"),
        ("tariff", "", 0, "state", "0-0:96.14.0"),
        ("demand", "W", 0, "gauge", "1-0:1.4.0"),
        ("demand_peak_month", "W", 0, "gauge", "1-0:1.6.0"),
        ("power_import", "W", 0, "gauge", "1-0:1.7.0"),
        ("power_export", "W", 0, "gauge", "1-0:2.7.0"),
        ("voltage_l1", "V", -1, "gauge", "1-0:32.7.0"),
        ("current_l1", "A", -2, "gauge", "1-0:31.7.0"),
        ("breaker", "", 0, "state", "0-0:96.3.10"),
        ("gas_volume", "m3", -3, "counter", "0-1:24.2.3"),
        ("water_volume", "m3", -3, "counter", "0-2:24.2.1"),
    ),
}
