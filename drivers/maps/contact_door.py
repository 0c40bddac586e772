"""A door, lid or gate with a reed contact.

Source: the contact's own wiring: the contact is closed to ground while the door is shut.
"""

MAP = {
    "protocol": "contact",
    "maker": "generic",
    "model": "door contact",
    "source": "wiring of this project",
    "active": 1,
    "debounce_ms": 50,
    "events": ("door_closed", "door_open"),
    "points": (
        ("open", "", 0, "state", "state"),
        ("openings", "", 0, "counter", "changes"),
    ),
}
