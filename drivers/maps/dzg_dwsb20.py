"""DZG DWSB20, two-way electricity meter: SML at 9600 8N1.

Source: DZG metering, DWSB20.2TH operating manual, section "SML". Export is a negative power.
"""

from micropython import const

_GAUGE = const(0)
_COUNTER = const(1)

MAP = {
    "protocol": "sml",
    "maker": "DZG",
    "model": "DWSB20",
    "source": "DZG DWSB20 operating manual, SML",
    "points": (
        ("energy_import", "Wh", -1, _COUNTER, "1-0:1.8.0*255"),
        ("energy_export", "Wh", -1, _COUNTER, "1-0:2.8.0*255"),
        ("power", "W", -2, _GAUGE, "1-0:16.7.0*255"),
    ),
}
