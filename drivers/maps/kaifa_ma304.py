"""Kaifa MA304, three phases, Norwegian HAN port: DLMS push over HDLC, 2400 8E1.

Source: Kaifa "KFM_001 OBIS List Information". List 1 (power) comes each 2 s, list 2 each 10 s,
list 3 with the totals each hour: points of the longer lists are missing in between.
"""

from micropython import const

_GAUGE = const(0)
_COUNTER = const(1)

MAP = {
    "protocol": "dlms",
    "maker": "Kaifa",
    "model": "MA304",
    "source": "KFM_001 OBIS List Information",
    "points": (
        ("power_import", "W", 0, _GAUGE, "1-0:1.7.0*255"),
        ("current_l1", "A", -3, _GAUGE, "1-0:31.7.0*255"),
        ("voltage_l1", "V", -1, _GAUGE, "1-0:32.7.0*255"),
        ("energy_import", "Wh", 0, _COUNTER, "1-0:1.8.0*255"),
        ("energy_export", "Wh", 0, _COUNTER, "1-0:2.8.0*255"),
    ),
}
