"""A flood sensor on the floor.

Source: the contact's own wiring: the sensor closes to ground when it is wet.
"""

MAP = {
    "protocol": "contact",
    "maker": "generic",
    "model": "flood sensor",
    "source": "wiring of this project",
    "active": 0,
    "debounce_ms": 1000,
    "events": ("flood_ended", "flood"),
    "points": (
        ("flood", "", 0, "state", "state"),
        ("floods", "", 0, "counter", "changes"),
    ),
}
