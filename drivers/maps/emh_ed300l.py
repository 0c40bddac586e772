"""EMH ED300L, electronic domestic electricity meter, both directions, SML at 9600 8N1.

Source: EMH metering, ED300L product manual, section "Data interface" (OBIS codes of the SML
telegram); power as 1-0:15.7.0 in older, 1-0:16.7.0 in newer firmware.
"""

MAP = {
    "protocol": "sml",
    "maker": "EMH",
    "model": "ED300L",
    "source": "EMH ED300L product manual, data interface",
    "points": (
        ("energy_import", "Wh", -1, "counter", "1-0:1.8.0*255"),
        ("energy_import_t1", "Wh", -1, "counter", "1-0:1.8.1*255"),
        ("energy_import_t2", "Wh", -1, "counter", "1-0:1.8.2*255"),
        ("energy_export", "Wh", -1, "counter", "1-0:2.8.0*255"),
        ("power_absolute", "W", -1, "gauge", "1-0:15.7.0*255"),
        ("power", "W", -1, "gauge", "1-0:16.7.0*255"),
        ("serial_number", "", 0, "text", "1-0:0.0.9*255"),
    ),
}
