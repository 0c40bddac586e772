"""MaxBotix LV-MaxSonar-EZ (MB1000 to MB1040), serial with inverted level.

Source: MaxBotix PD11832: 9600 8N1, inches in three digits, 254 when no target is seen, 6 at least.
The line is RS-232 in polarity: it needs an inverter before a UART.
"""

MAP = {
    "protocol": "level",
    "maker": "MaxBotix",
    "model": "LV-MaxSonar-EZ",
    "source": "MaxBotix PD11832",
    "line": (9600, 8, "N", 1),
    "frame": "R",
    "step_um": 25400,
    "least": 6,
    "none": 254,
    "points": (
        ("distance", "m", -3, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
