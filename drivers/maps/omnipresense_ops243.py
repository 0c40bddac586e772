"""OmniPreSense OPS242, OPS243 radar sensor in JSON mode, 19200 8N1.

Source: OmniPreSense OPS242 manual, p. 8. Several reports a second as long as something moves
before it, in m/s as it leaves the factory; send it OJ (JSON) and A! (keep it) once. It knows no
lengths; what is slower than "least" is a pedestrian.
"""

MAP = {
    "protocol": "radar",
    "maker": "OmniPreSense",
    "model": "OPS243",
    "source": "OmniPreSense OPS242 manual, p. 8",
    "line": (19200, 8, "N", 1),
    "frame": "json",
    "classes_dm": (),
    "unit": "m/s",
    "least": 10,
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
