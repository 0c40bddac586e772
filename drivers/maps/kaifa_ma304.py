"""Kaifa MA304, three phases, Norwegian HAN port: DLMS push over HDLC, 2400 8E1.

Source: Kaifa "KFM_001 OBIS List Information". List 1 (power) comes each 2 s, list 2 each 10 s,
list 3 with the totals each hour: points of the longer lists are missing in between.
"""

MAP = {
    "protocol": "dlms",
    "maker": "Kaifa",
    "model": "MA304",
    "source": "KFM_001 OBIS List Information",
    "points": (
        ("power_import", "W", 0, "gauge", "1-0:1.7.0*255"),
        ("current_l1", "A", -3, "gauge", "1-0:31.7.0*255"),
        ("voltage_l1", "V", -1, "gauge", "1-0:32.7.0*255"),
        ("energy_import", "Wh", 0, "counter", "1-0:1.8.0*255"),
        ("energy_export", "Wh", 0, "counter", "1-0:2.8.0*255"),
    ),
}
