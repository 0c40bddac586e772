"""Itron Cyble M-Bus 1.4 on a water meter, wired M-Bus 2400 8E1; on battery, read it rarely.

Source: Itron Cyble M-Bus technical brochure; EN 13757-3 record headers.
"""

MAP = {
    "protocol": "mbus",
    "maker": "Itron",
    "model": "Cyble M-Bus 1.4",
    "source": "Itron Cyble M-Bus technical brochure",
    "points": (
        ("volume", "m3", -3, "counter", "04 13"),
        ("volume_due", "m3", -3, "counter", "44 13"),
    ),
}
