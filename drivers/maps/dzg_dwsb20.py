"""DZG DWSB20, two-way electricity meter: SML at 9600 8N1.

Source: DZG metering, DWSB20.2TH operating manual, section "SML". Export is a negative power.
"""

MAP = {
    "protocol": "sml",
    "maker": "DZG",
    "model": "DWSB20",
    "source": "DZG DWSB20 operating manual, SML",
    "points": (
        ("energy_import", "Wh", -1, "counter", "1-0:1.8.0*255"),
        ("energy_export", "Wh", -1, "counter", "1-0:2.8.0*255"),
        ("power", "W", -2, "gauge", "1-0:16.7.0*255"),
    ),
}
