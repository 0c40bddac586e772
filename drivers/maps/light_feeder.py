"""Public lighting feeder pillar: controller with meter, lamp circuits and door (generic).

Source: the project's own profile: what a tender asks of a feeder controller, in the layout of its
register annex: states as bits of one register, energies in 0.1 kWh as packed decimal, the
firmware as text. A technician adapts a copy in the site's folder.
"""

MAP = {
    "protocol": "modbus",
    "maker": "generic",
    "model": "lighting feeder",
    "source": "profile of this project; compare with the controller's annex",
    "line": (9600, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 32,
    "points": (
        ("energy_import", "Wh", 2, "counter", 3, 0, "bcd32", 2),
        ("power", "W", 0, "gauge", 3, 2, "int16", 1),
        ("voltage_l1", "V", -1, "gauge", 3, 3, "uint16", -1),
        ("voltage_l2", "V", -1, "gauge", 3, 4, "uint16", -1),
        ("voltage_l3", "V", -1, "gauge", 3, 5, "uint16", -1),
        ("current_l1", "A", -2, "gauge", 3, 6, "uint16", -2),
        ("current_l2", "A", -2, "gauge", 3, 7, "uint16", -2),
        ("current_l3", "A", -2, "gauge", 3, 8, "uint16", -2),
        ("lit", "", 0, "state", 3, 9, "bit:0"),
        ("lit_half", "", 0, "state", 3, 9, "bit:1"),
        ("door_open", "", 0, "state", 3, 9, "bit:2"),
        ("breaker_tripped", "", 0, "state", 3, 9, "bit:3"),
        ("alarms", "", 0, "state", 3, 10, "bits16"),
        ("illuminance", "lx", 0, "gauge", 3, 11, "uint16"),
        ("burning_hours", "h", 0, "counter", 3, 12, "uint32"),
        ("firmware", "", 0, "text", 3, 16, "text:8"),
    ),
}
