"""DFRobot A02YYUW (SEN0311) and ME007YS (SEN0312), waterproof ultrasonic distance sensors, UART.

Source: DFRobot product pages SEN0311 and SEN0312: 9600 8N1, millimetres, blind below 30 mm.
"""

MAP = {
    "protocol": "level",
    "maker": "DFRobot",
    "model": "A02YYUW",
    "source": "DFRobot SEN0311, SEN0312",
    "line": (9600, 8, "N", 1),
    "frame": "ff",
    "step_um": 1000,
    "least": 30,
    "none": None,
    "points": (
        ("distance", "m", -3, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
