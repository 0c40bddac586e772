"""DZG DVS74/DWS74 before firmware that signs its power: SML at 9600 8N1.

Source: DZG metering, DVS74 operating manual, section "SML". These units send powers of
327.68 to 655.35 W as a negative int16; other DZG units use the same bytes for real export,
so take this map only where export is impossible, and dzg_dwsb20.py otherwise.
"""

MAP = {
    "protocol": "sml",
    "maker": "DZG",
    "model": "DVS74",
    "source": "DZG DVS74 operating manual, SML",
    "points": (
        ("energy_import", "Wh", -1, "counter", "1-0:1.8.0*255"),
        ("energy_export", "Wh", -1, "counter", "1-0:2.8.0*255"),
        ("power", "W", -2, "gauge", "1-0:16.7.0*255", "narrow_unsigned"),
    ),
}
