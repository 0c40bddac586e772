"""Engelmann SensoStar 2 heat meter, wired M-Bus 2400 8E1.

Source: Engelmann SensoStar 2 "Communication description M-Bus"; EN 13757-3 record headers.
"""

MAP = {
    "protocol": "mbus",
    "maker": "Engelmann",
    "model": "SensoStar 2",
    "source": "Engelmann SensoStar 2 communication description",
    "points": (
        ("energy", "Wh", 3, "counter", "04 06"),
        ("volume", "m3", -2, "counter", "04 15"),
        ("flow", "m3/h", -3, "gauge", "04 3B"),
        ("power", "W", 0, "gauge", "04 2B"),
        ("temperature_flow", "degC", 0, "gauge", "02 5B"),
        ("temperature_return", "degC", 0, "gauge", "02 5F"),
        ("temperature_difference", "K", -2, "gauge", "04 61"),
        ("error", "", 0, "state", "02 FD 17"),
    ),
}
