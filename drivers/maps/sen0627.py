"""DFRobot SEN0627, ultrasonic distance sensor whose count is in centimetres, UART.

Source: DFRobot product page SEN0627: the framing of A02YYUW, another unit. Its blind zone is
field knowledge: override it with the option `least`.
"""

MAP = {
    "protocol": "level",
    "maker": "DFRobot",
    "model": "SEN0627",
    "source": "DFRobot SEN0627",
    "line": (9600, 8, "N", 1),
    "frame": "ff",
    "step_um": 10000,
    "least": 2,
    "none": None,
    "points": (
        ("distance", "m", -2, "gauge", "distance"),
        ("level", "", -3, "gauge", "level"),
    ),
}
