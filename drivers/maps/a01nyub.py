"""DFRobot A01NYUB (SEN0313), ultrasonic distance sensor for 0.28 to 7.5 m, UART.

Source: DFRobot product page SEN0313: 9600 8N1, millimetres, blind below 280 mm.
"""

MAP = {
    "protocol": "level",
    "maker": "DFRobot",
    "model": "A01NYUB",
    "source": "DFRobot SEN0313",
    "line": (9600, 8, "N", 1),
    "frame": "ff",
    "step_um": 1000,
    "least": 280,
    "none": None,
    "points": (
        ("distance", "m", -3, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
