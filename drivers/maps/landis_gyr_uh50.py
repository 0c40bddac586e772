"""Landis+Gyr Ultraheat T550 (UH50), heat meter on an optical head, IEC 62056-21 mode C at 2400.

Source: Landis+Gyr T550 (UH50) configuration manual UH 206-101, section "Read-out telegram".
It spends about half an hour of battery on each read-out: an hour between two is frequent.
Options that it needs: "wake": 40, "min_interval_s": 3600.
"""

MAP = {
    "protocol": "iec62056",
    "maker": "Landis+Gyr",
    "model": "Ultraheat T550 (UH50)",
    "source": "Landis+Gyr UH 206-101",
    "points": (
        ("energy", "Wh", 3, "counter", "6.8"),
        ("volume", "m3", -2, "counter", "6.26"),
        ("power_peak", "W", 2, "gauge", "6.6"),
        ("flow_peak", "m3/h", -3, "gauge", "6.33"),
        ("temperature_flow_peak", "degC", -1, "gauge", "9.4"),
        ("temperature_return_peak", "degC", -1, "gauge", "9.4[1]"),
        ("operating_time", "h", 0, "counter", "6.31"),
    ),
}
