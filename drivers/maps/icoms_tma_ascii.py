"""Icoms TMA radar traffic counter, ASCII messages (TYP;DATETIME;SPEED;LENGTH), 115200 8N1.

Source: Icoms TMA-3B3 manual, p. 17. Classes by length: to 2.5 m two wheels, to 6 m cars, to 9 m
vans and lorries, longer ones heavy; a site whose classes differ gives "classes_dm".
"""

MAP = {
    "protocol": "radar",
    "maker": "Icoms",
    "model": "TMA, ASCII",
    "source": "Icoms TMA-3B3 manual, p. 17",
    "line": (115200, 8, "N", 1),
    "frame": "lines",
    "columns": ("", "", "speed", "length"),
    "classes_dm": (25, 60, 90),
    "points": (
        ("vehicles", "", 0, "gauge", "count"),
        ("two_wheels", "", 0, "gauge", "count.0"),
        ("cars", "", 0, "gauge", "count.1"),
        ("vans", "", 0, "gauge", "count.2"),
        ("heavy", "", 0, "gauge", "count.3"),
        ("speed_mean", "km/h", -1, "gauge", "mean"),
        ("speed_p85", "km/h", 0, "gauge", "p85"),
    ),
}
