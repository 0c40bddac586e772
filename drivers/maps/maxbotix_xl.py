"""MaxBotix XL-MaxSonar-WR (MB7060, MB7092), serial with inverted level.

Source: MaxBotix PD10832: 9600 8N1, centimetres in three digits, 765 when no target is seen, 20 at
least. The line is RS-232 in polarity: it needs an inverter before a UART.
"""

MAP = {
    "protocol": "level",
    "maker": "MaxBotix",
    "model": "XL-MaxSonar-WR",
    "source": "MaxBotix PD10832",
    "line": (9600, 8, "N", 1),
    "frame": "R",
    "step_um": 10000,
    "least": 20,
    "none": 765,
    "points": (
        ("distance", "m", -2, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
