"""Icoms TMA radar traffic counter, encoded messages: 115200 8N1, one per vehicle.

Source: Icoms TMA-3B3 manual, p. 17. Classes by length: to 2.5 m two wheels, to 6 m cars, to 9 m
vans and lorries, longer ones heavy; a site whose classes differ gives "classes_dm".
"""

MAP = {
    "protocol": "radar",
    "maker": "Icoms",
    "model": "TMA",
    "source": "Icoms TMA-3B3 manual, p. 17",
    "line": (115200, 8, "N", 1),
    "frame": "icoms",
    "classes_dm": (25, 60, 90),
    "points": (
        ("vehicles", "", 0, "gauge", "count"),
        ("vehicles_in", "", 0, "gauge", "count.in"),
        ("vehicles_out", "", 0, "gauge", "count.out"),
        ("two_wheels_in", "", 0, "gauge", "count.in.0"),
        ("cars_in", "", 0, "gauge", "count.in.1"),
        ("vans_in", "", 0, "gauge", "count.in.2"),
        ("heavy_in", "", 0, "gauge", "count.in.3"),
        ("two_wheels_out", "", 0, "gauge", "count.out.0"),
        ("cars_out", "", 0, "gauge", "count.out.1"),
        ("vans_out", "", 0, "gauge", "count.out.2"),
        ("heavy_out", "", 0, "gauge", "count.out.3"),
        ("speed_mean", "km/h", -1, "gauge", "mean"),
        ("speed_p85", "km/h", 0, "gauge", "p85"),
        ("speed_p85_in", "km/h", 0, "gauge", "p85.in"),
        ("speed_p85_out", "km/h", 0, "gauge", "p85.out"),
    ),
}
