"""Houston Radar DR500 speed sensor, three digits a line, 9600 8N1.

Source: Houston Radar DR500 user manual, p. 6. It shows the speed of the nearest vehicle as long as
it sees one, then 000 or ?000; set it to km/h, or give the site's option unit: "mi/h". It knows
no lengths; a sign, where it sends one, is the direction.
"""

MAP = {
    "protocol": "radar",
    "maker": "Houston Radar",
    "model": "DR500",
    "source": "Houston Radar DR500 user manual, p. 6",
    "line": (9600, 8, "N", 1),
    "frame": "speed",
    "classes_dm": (),
    "unit": "km/h",
    "least": 8,
    "points": (
        ("vehicles", "", 0, "gauge", "count"),
        ("vehicles_in", "", 0, "gauge", "count.in"),
        ("vehicles_out", "", 0, "gauge", "count.out"),
        ("speed_mean", "km/h", -1, "gauge", "mean"),
        ("speed_p85", "km/h", 0, "gauge", "p85"),
        ("speed_p85_in", "km/h", 0, "gauge", "p85.in"),
        ("speed_p85_out", "km/h", 0, "gauge", "p85.out"),
    ),
}
