"""MaxBotix HRXL-MaxSonar-WR of 5 m (MB7360 to MB7389), TTL serial.

Source: MaxBotix PD11500: 9600 8N1, millimetres in four digits, 5000 when no target is seen, 300 at
least. Parts of 10 m say 9999: set the option `none`.
"""

MAP = {
    "protocol": "level",
    "maker": "MaxBotix",
    "model": "HRXL-MaxSonar-WR",
    "source": "MaxBotix PD11500",
    "line": (9600, 8, "N", 1),
    "frame": "R",
    "step_um": 1000,
    "least": 300,
    "none": 5000,
    "points": (
        ("distance", "m", -3, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
